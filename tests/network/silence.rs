//! Hosts that say nothing, too little, or too much nonsense before a command runs.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use batchssh::cli::demo::fleet::{Behaviour, HostSpec};
use rustix::process::{Pid, Signal, kill_process};

use crate::sshd::{Options, Sshd};
use crate::support::{Desk, status_of};

/// A server that does with each connection what it is told, in a thread of its own.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(client));
        }
    });
    address
}

fn add_host(desk: &Desk, name: &str, address: SocketAddr) {
    let line = format!("{name} ansible_host={} ansible_port={}\n", address.ip(), address.port());
    let inventory = desk.read("hosts.ini").replacen("[web]\n", &format!("[web]\n{line}"), 1);
    desk.write("hosts.ini", &inventory);
}

/// Waits for the other side to go away.
fn wait_for_end(mut client: TcpStream) {
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}

#[test]
fn r01_a_host_that_says_nothing_is_unreachable_when_the_connect_timeout_is_over() {
    let desk = Desk::hosts(&["good"]);
    add_host(&desk, "mute", server(wait_for_end));
    let slow = |mut client: TcpStream| {
        for byte in b"SSH-2.0-slow".iter().cycle() {
            if client.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(300));
        }
    };
    add_host(&desk, "slow", server(slow));
    let greeting = |mut client: TcpStream| {
        let _ = client.write_all(b"SSH-2.0-OpenSSH_7.4\r\n");
        wait_for_end(client);
    };
    add_host(&desk, "greets", server(greeting));
    let begun = Instant::now();
    let ran = desk
        .cmd("exec -i hosts.ini -T 2 --output json -- echo hi")
        .run()
        .code(4);
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_millis(3800),
        "{took:?}"
    );
    for host in ["mute", "slow", "greets"] {
        assert_eq!(status_of(&ran, host), "unreachable");
    }
    assert_eq!(status_of(&ran, "good"), "changed");
}

#[test]
fn r02_bad_hosts_cost_good_ones_nothing_but_the_wait_for_a_free_worker() {
    let mut specs: Vec<HostSpec> = (1..=4)
        .map(|n| HostSpec::new(format!("bad{n}")).behaving(Behaviour::NeverAnswers))
        .collect();
    specs.extend((1..=6).map(|n| HostSpec::new(format!("good{n}"))));
    let desk = Desk::new(&specs);
    // With a worker for everybody, good hosts do not notice.
    let ran = desk
        .cmd("exec -i hosts.ini -f 10 -T 3 --output json -- echo hi")
        .run()
        .code(4);
    for event in ran.events().iter().filter(|event| event["event"] == "host_done") {
        let seconds = event["seconds"].as_f64().unwrap();
        if event["host"].as_str().unwrap().starts_with("good") {
            assert!(seconds < 2.0, "{event}");
        }
    }
    // With two, the bad ones take two turns of three seconds; no more.
    let begun = Instant::now();
    let ran = desk
        .cmd("exec -i hosts.ini -f 2 -T 3 --output json -- echo hi")
        .run()
        .code(4);
    assert!(begun.elapsed() < Duration::from_millis(8500), "{:?}", begun.elapsed());
    assert_eq!(status_of(&ran, "good6"), "changed");
}

#[test]
fn r09_a_stopped_server_is_left_without_waiting() {
    let desk = Desk::hosts(&["good"]);
    let server = Sshd::start(&Options::default());
    // The listener forks a process for each connection: both are stopped once the command runs.
    let line = format!(
        "stopped ansible_host={} ansible_port={} ansible_ssh_private_key_file={} \
         ansible_ssh_common_args='-o UserKnownHostsFile={}'\n",
        server.address,
        server.port,
        server.path("id").display(),
        server.path("known_hosts").display()
    );
    let inventory = desk.read("hosts.ini").replacen("[web]\n", &format!("[web]\n{line}"), 1);
    desk.write("hosts.ini", &inventory);
    let begun_file = server.path("begun");
    let running = desk
        .cmd("exec stopped -i hosts.ini --task-timeout 2 --output json --")
        .arg(format!(
            "echo $$ $PPID > {}.new; mv {0}.new {0}; sleep 60",
            begun_file.display()
        ))
        .spawn();
    crate::support::wait_for("the command", || begun_file.exists());
    let text = std::fs::read_to_string(&begun_file).unwrap();
    let pids: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let session = Pid::from_raw(pids[1]).unwrap();
    kill_process(session, Signal::STOP).unwrap();
    let begun = Instant::now();
    let ran = running.wait();
    let took = begun.elapsed();
    kill_process(session, Signal::CONT).unwrap();
    // Two seconds for the task, up to one for the try to kill it there, and no more for leaving.
    assert!(took < Duration::from_millis(3600), "{took:?}");
    assert!(ran.code == 2 || ran.code == 11, "{ran:?}");
}

#[test]
fn r10_connections_are_tried_again_only_within_the_connect_timeout() {
    let tries = Arc::new(AtomicUsize::new(0));
    let desk = Desk::hosts(&["good"]);
    let count = tries.clone();
    let reset = move |client: TcpStream| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO));
    };
    let address = server(reset);
    add_host(&desk, "resets", address);
    let begun = Instant::now();
    let ran = desk
        .cmd("exec resets -i hosts.ini -T 2 -e ansible_ssh_retries=1000 --output json -- echo hi")
        .run()
        .code(4);
    assert!(begun.elapsed() < Duration::from_millis(3300), "{:?}", begun.elapsed());
    assert_eq!(status_of(&ran, "resets"), "unreachable");
    let tries = tries.load(Ordering::SeqCst);
    assert!((2..=200).contains(&tries), "{tries} tries in two seconds");
}

#[test]
fn r11_nonsense_instead_of_ssh_is_one_hosts_verdict() {
    let desk = Desk::hosts(&["good"]);
    let nonsense: [&'static [u8]; 7] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"SSH-2.0-x\r\n\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x00",
        b"SSH-2.0-",
    ];
    for (number, text) in nonsense.into_iter().enumerate() {
        let serve = move |mut client: TcpStream| {
            let _ = client.write_all(text);
            // Half of them hang up, half wait.
            if number % 2 == 0 {
                wait_for_end(client);
            }
        };
        add_host(&desk, &format!("odd{number}"), server(serve));
    }
    let begun = Instant::now();
    let ran = desk
        .cmd("exec -i hosts.ini -T 3 --output json -- echo hi")
        .run()
        .code(4);
    assert!(begun.elapsed() < Duration::from_millis(4800), "{:?}", begun.elapsed());
    for number in 0..nonsense.len() {
        assert_eq!(status_of(&ran, &format!("odd{number}")), "unreachable");
    }
    assert_eq!(status_of(&ran, "good"), "changed");
}
