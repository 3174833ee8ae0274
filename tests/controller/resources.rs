//! R26: descriptors and memory run out.

use crate::support::{Cmd, Desk};

/// The command under a limit of the shell (`-n 94`).
fn limited(desk: &Desk, limit: &str, words: &str) -> Cmd {
    let text = format!("ulimit {limit} && exec \"$@\"");
    desk.cmd(words).under("sh", &["-c", &text, "sh"])
}

#[test]
fn r26_forks_are_checked_against_the_descriptors_and_as_many_as_are_named_work() {
    let names: Vec<String> = (1..=12).map(|number| format!("h{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let desk = Desk::hosts(&names);
    let words = "exec web -i hosts.ini -f 12 -- touch done";
    let refused = limited(&desk, "-n 94", words).run().code(1);
    assert!(
        refused.err.contains("12 forks need 100 open files, and 94 are allowed")
            && refused.err.contains("use --forks 10"),
        "{}",
        refused.err
    );
    assert!(!desk.home("h1").join("done").exists());
    limited(&desk, "-n 94", &words.replace("-f 12", "-f 10")).run().code(0);
    for name in &names {
        assert!(desk.home(name).join("done").exists(), "{name}");
    }
    let refused = limited(&desk, "-n 64", words).run().code(1);
    assert!(refused.err.contains("raise the limit"), "{}", refused.err);
}

#[test]
fn r26_output_that_does_not_fit_into_memory_costs_one_host_its_rest_and_no_more() {
    let desk = Desk::hosts(&["loud", "quiet"]);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: test -e $HOME/quiet || head -c 300000000 /dev/zero\n    - shell: touch $HOME/second\n",
    );
    std::fs::write(desk.home("quiet").join("quiet"), "").unwrap();
    // 600 MiB of address space, threads and code included.
    let ran = limited(&desk, "-v 614400", "run site.yml -i hosts.ini -f 2")
        .run()
        .code(0);
    assert!(!ran.err.contains("memory allocation"), "{}", ran.err);
    for host in ["loud", "quiet"] {
        assert!(desk.home(host).join("second").exists(), "{host}");
    }
}
