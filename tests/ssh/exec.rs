use std::time::{Duration, Instant};

use batchssh::shell::Command;
use batchssh::transport::{Exec, ExitStatus, SessionError, Stdin};

use crate::sshd::{Options, Sshd};
use crate::support::{deadline, ends_soon, exec, run, session};

#[test]
fn outputs_statuses_and_signals_are_the_hosts_own() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let ran = run(&mut *session, "echo out; echo err >&2; exit 3");
    assert_eq!(ran.status.unwrap(), ExitStatus::Code(3));
    assert_eq!((ran.out.as_slice(), ran.err.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(run(&mut *session, "true").status.unwrap(), ExitStatus::Code(0));
    assert_eq!(
        run(&mut *session, "kill -9 $$").status.unwrap(),
        ExitStatus::Signal("KILL".to_owned())
    );
    let environment = [("A_B".to_owned(), "it's a \"value\"\nof $two lines".to_owned())];
    let command = Command::raw_script("printf %s \"$A_B\"");
    let request = Exec {
        environment: &environment,
        ..Exec::new(&command)
    };
    assert_eq!(
        exec(&mut *session, request, &deadline(10_000)).out,
        environment[0].1.as_bytes()
    );
    assert!(session.is_alive());
}

#[test]
fn eight_mib_in_every_direction_do_not_block() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let input: Vec<u8> = (0..8u32 << 20).map(|n| (n % 251) as u8).collect();
    for script in ["cat", "sleep 0.3; cat >&2", "tee /dev/stderr", "head -c 1000"] {
        let command = Command::raw_script(script);
        let request = Exec {
            stdin: Stdin::Bytes(&input),
            ..Exec::new(&command)
        };
        let ran = exec(&mut *session, request, &deadline(60_000));
        assert_eq!(ran.status.unwrap(), ExitStatus::Code(0), "{script}");
        match script {
            "cat" => assert!(ran.out == input),
            "head -c 1000" => assert!(ran.out == input[..1000]),
            "tee /dev/stderr" => assert!(ran.out == input && ran.err == input),
            _ => assert!(ran.err == input),
        }
    }
    let mut reader = &input[..];
    let command = Command::raw_script("wc -c");
    let request = Exec {
        stdin: Stdin::Reader(&mut reader),
        ..Exec::new(&command)
    };
    assert_eq!(
        exec(&mut *session, request, &deadline(60_000)).out.trim_ascii(),
        b"8388608"
    );
}

#[test]
fn a_time_out_kills_everything_the_command_started() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let command = Command::raw_script("sleep 1000 & echo $!; sleep 1001");
    let start = Instant::now();
    let ran = exec(&mut *session, Exec::new(&command), &deadline(700));
    let took = start.elapsed();
    assert!(
        matches!(ran.status, Err(SessionError::Stopped { survivor: None, .. })),
        "{:?}",
        ran.status
    );
    assert!(took < Duration::from_millis(1400), "{took:?}");
    assert!(ends_soon(&String::from_utf8(ran.out).unwrap()));
    assert!(session.is_alive());
    assert_eq!(run(&mut *session, "echo on").out, b"on\n");
}

#[test]
fn a_time_out_behind_a_forced_command_kills_too() {
    let sshd = Sshd::start(&Options {
        config: "ForceCommand sh -c \"$SSH_ORIGINAL_COMMAND\"; exit $?",
        ..Options::default()
    });
    let mut session = session(&sshd);
    assert_eq!(run(&mut *session, "echo through").out, b"through\n");
    let command = Command::raw_script("sleep 1002 & echo $!; sleep 1003");
    let ran = exec(&mut *session, Exec::new(&command), &deadline(700));
    assert!(
        matches!(ran.status, Err(SessionError::Stopped { survivor: None, .. })),
        "{:?}",
        ran.status
    );
    assert!(ends_soon(&String::from_utf8(ran.out).unwrap()));
}

#[test]
fn a_time_out_while_input_is_stuck_ends_too() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let input = vec![0; 32 << 20];
    let command = Command::raw_script("echo $$; sleep 1004");
    let request = Exec {
        stdin: Stdin::Bytes(&input),
        ..Exec::new(&command)
    };
    let start = Instant::now();
    let ran = exec(&mut *session, request, &deadline(700));
    assert!(
        matches!(ran.status, Err(SessionError::Stopped { .. })),
        "{:?}",
        ran.status
    );
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    assert!(ends_soon(&String::from_utf8(ran.out).unwrap()));
}

#[test]
fn endless_output_ends_at_the_deadline() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let command = Command::raw_script("yes");
    let start = Instant::now();
    let mut count = 0usize;
    let status = session.exec(Exec::new(&command), &deadline(700), &mut |_, bytes| {
        count += bytes.len();
    });
    assert!(
        matches!(status, Err(SessionError::Stopped { survivor: None, .. })),
        "{status:?}"
    );
    assert!(count > 1 << 20);
    assert!(start.elapsed() < Duration::from_millis(1700), "{:?}", start.elapsed());
}

#[test]
fn a_cancel_ends_a_command_soon() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let cancel = batchssh::deadline::CancelToken::new();
    let limit = batchssh::deadline::Deadline::none(cancel.clone());
    let stopper = std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(400));
        cancel.cancel();
        Instant::now()
    });
    let ran = exec(
        &mut *session,
        Exec::new(&Command::raw_script("echo $$; sleep 1005")),
        &limit,
    );
    let cancelled = stopper.join().unwrap();
    assert!(
        matches!(ran.status, Err(SessionError::Stopped { survivor: None, .. })),
        "{:?}",
        ran.status
    );
    assert!(
        cancelled.elapsed() < Duration::from_millis(700),
        "{:?}",
        cancelled.elapsed()
    );
    assert!(ends_soon(&String::from_utf8(ran.out).unwrap()));
}

#[test]
fn a_daemon_left_behind_does_not_hold_the_command() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let start = Instant::now();
    let ran = run(&mut *session, "sleep 8 & echo started");
    assert_eq!(
        (ran.status.unwrap(), ran.out.as_slice()),
        (ExitStatus::Code(0), &b"started\n"[..])
    );
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn a_stopped_server_is_left_at_once() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let pid = String::from_utf8(run(&mut *session, "echo $PPID").out).unwrap();
    let stop = |signal: &str| {
        std::process::Command::new("kill")
            .args([signal, pid.trim()])
            .status()
            .unwrap();
    };
    stop("-STOP");
    let start = Instant::now();
    let ran = exec(
        &mut *session,
        Exec::new(&Command::raw_script("echo never")),
        &deadline(500),
    );
    assert!(
        matches!(ran.status, Err(SessionError::Stopped { .. })),
        "{:?}",
        ran.status
    );
    assert!(start.elapsed() < Duration::from_millis(1800), "{:?}", start.elapsed());
    let start = Instant::now();
    drop(session);
    assert!(start.elapsed() < Duration::from_millis(300), "{:?}", start.elapsed());
    stop("-KILL");
    stop("-CONT");
}

#[test]
fn a_connection_lost_in_the_middle_is_in_doubt() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    let ran = run(&mut *session, "kill -9 $PPID; sleep 2");
    assert!(
        matches!(ran.status, Err(SessionError::InDoubt { .. })),
        "{:?}",
        ran.status
    );
    assert!(!session.is_alive());
    let ran = run(&mut *session, "true");
    assert!(matches!(ran.status, Err(SessionError::Lost { .. })), "{:?}", ran.status);
}

#[test]
fn many_commands_run_on_one_session() {
    let sshd = Sshd::start(&Options::default());
    let mut session = session(&sshd);
    for number in 0..40 {
        assert_eq!(
            run(&mut *session, &format!("echo {number}")).out,
            format!("{number}\n").as_bytes()
        );
    }
}
