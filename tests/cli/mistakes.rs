//! Wrong words: exit code 1, a message that helps, and no host contacted.

use crate::support::{Desk, Ran};

#[test]
fn r33_wrong_words_contact_nobody() {
    let desk = Desk::hosts(&["web1"]);
    desk.write("empty.retry", "\n# nobody is left\n");
    desk.write("broken.yml", "- hosts: web\n  tasks:\n    - cpoy: {dest: x}\n");
    desk.write("broken.ini", "[web\nweb1\n");
    let before = desk.fleet.log();
    let said = |ran: Ran| {
        let ran = ran.code(1);
        assert_eq!(ran.out, "");
        desk.plain(&ran.err)
    };
    let exec =
        |words: &str, limit: &str| said(desk.cmd(words).arg("--limit").arg(limit).arg("--").arg("touch x").run());
    assert_eq!(
        exec("exec -i hosts.ini", ""),
        "error: --limit `` matches no hosts: it is empty\nhelp: leave it away to run on all hosts\n"
    );
    assert_eq!(
        exec("exec -i hosts.ini", "nobody"),
        "error: --limit `nobody` matches no hosts\nhelp: could not match `nobody`: no group or host has that name\n"
    );
    assert_eq!(
        exec("exec -i hosts.ini", "@missing"),
        "error: --limit: cannot read `missing`: No such file or directory (os error 2)\n"
    );
    assert!(exec("exec -i hosts.ini", "@empty.retry").contains("matches no hosts"));
    assert!(exec("exec -i hosts.ini", "web1:!web").contains("matches no hosts"));
    let run = |words: &str| said(desk.cmd(words).run());
    assert_eq!(
        run("exec nobody -i hosts.ini -- touch x"),
        "error: no hosts matched\nhelp: `batchssh inventory --graph` shows what there is\n"
    );
    assert_eq!(
        run("exec -- touch x"),
        "error: the inventory has no hosts\nhelp: name an inventory with -i: a file, or `host1,host2,`\n"
    );
    assert_eq!(
        run("exec -i hosts.txt -- touch x"),
        "error: the inventory `hosts.txt` does not exist\nhelp: for a host of that name, add a comma: -i 'hosts.txt,'\n"
    );
    let err = run("exec -i broken.ini -- touch x");
    assert!(err.contains("broken.ini:1"), "{err}");
    let err = run("exec -i hosts.ini --nope -- touch x");
    assert!(err.starts_with("error: unexpected argument '--nope' found\n"), "{err}");
    let err = run("exec -i hosts.ini --forks 0 -- touch x");
    assert!(err.contains("must be at least 1"), "{err}");
    assert_eq!(
        run("exec -i hosts.ini"),
        "error: no command was given\nhelp: put it after two dashes: `batchssh exec -i hosts.txt -- uptime`, or name a \
         module with -m\n"
    );
    assert_eq!(
        run("exec -i hosts.ini -m cpoy"),
        "error: there is no module `cpoy`\nhelp: did you mean `copy`? `batchssh doc` lists them\n"
    );
    let err = run("exec -i hosts.ini -m copy -a dset=/tmp/x");
    assert!(
        err.contains("for `copy`: `dset`") && err.contains("did you mean `dest`"),
        "{err}"
    );
    assert_eq!(run("put nothing there -i hosts.ini"), "error: there is no `nothing`\n");
    let err = run("run broken.yml -i hosts.ini");
    assert!(
        err.contains("broken.yml:3:7") && err.contains("did you mean `copy`"),
        "{err}"
    );
    let err = run("run missing.yml -i hosts.ini");
    assert!(err.contains("missing.yml"), "{err}");
    let err = run("exec -i hosts.ini --become-password-file none -- touch x");
    assert!(err.starts_with("error: cannot read `none`"), "{err}");
    assert!(run("audit nothing -i hosts.ini").contains("there is no audit `nothing`"));
    assert!(run("retry").contains("there is no run"));

    assert_eq!(desk.fleet.log(), before, "a host was contacted");
    assert!(!desk.home("web1").join("x").exists());
    assert!(desk.runs().is_empty() && !desk.path("batchssh.retry").exists());
    // And the same desk works.
    desk.cmd("exec -i hosts.ini -- touch x").run().well();
    assert!(desk.home("web1").join("x").exists());
}
