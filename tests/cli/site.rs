//! A whole playbook with everything people use: what is printed, what is on the hosts, and that it settles.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::{Desk, mode, text};

const SITE: &str = r#"
- name: Site
  hosts: web
  gather_facts: false
  vars:
    greeting: hello
    base: "{{ homes }}/{{ inventory_hostname }}"
  roles:
    - {role: motd, motd_text: welcome}
  tasks:
    - name: Directories
      file: {path: "{{ base }}/app/{{ item }}", state: directory, mode: "0750"}
      loop: [etc, run]
    - name: Configuration
      template: {src: app.conf.j2, dest: "{{ base }}/app/etc/app.conf", mode: "0640"}
      notify: Reload
    - name: Plain file
      copy: {src: plain.txt, dest: "{{ base }}/app/"}
      notify: Reload
    - name: Look
      command: cat {{ base }}/app/etc/app.conf
      register: seen
      changed_when: false
    - name: Remember
      set_fact: {size: "{{ seen.stdout_lines | length }}"}
    - name: Tell
      debug: {msg: "{{ inventory_hostname }} has {{ size }} lines, first {{ seen.stdout_lines[0] }}"}
      when: inventory_hostname != 'web1'
    - name: Guard
      block:
        - name: Break
          command: sh -c 'echo no >&2; exit 7'
          changed_when: false
        - name: Never reached
          command: "false"
      rescue:
        - name: Mend
          debug: {msg: "rescued {{ ansible_failed_task.name }} rc={{ ansible_failed_result.rc }}"}
      always:
        - name: Afterwards
          debug: {msg: always}
    - name: Tree up
      put: {src: tree, dest: "{{ base }}/app/tree"}
    - name: Tree down
      get: {src: "{{ base }}/app/tree", dest: got}
    - name: One file down
      fetch: {src: "{{ base }}/app/etc/app.conf", dest: fetched}
  handlers:
    - name: Reload
      shell: echo reloaded >> {{ base }}/reloads
"#;

fn desk() -> Desk {
    let desk = Desk::hosts(&["web1", "web2"]);
    desk.write(
        "group_vars/all.yml",
        &format!("homes: {}/hosts\n", desk.fleet.dir().display()),
    );
    desk.write("site.yml", SITE);
    desk.write("plain.txt", "plain\n");
    desk.write(
        "templates/app.conf.j2",
        "{{ greeting }} {{ inventory_hostname }}\nport=80\n",
    );
    desk.write("tree/a", "a");
    desk.write("tree/sub/b c", "b");
    desk.write(
        "roles/motd/tasks/main.yml",
        "- name: Write\n  copy: {content: \"{{ motd_text }}\\n\", dest: \"{{ base }}/motd\"}\n  notify: motd changed\n",
    );
    desk.write("roles/motd/defaults/main.yml", "motd_text: nothing\n");
    desk.write(
        "roles/motd/handlers/main.yml",
        "- name: Note\n  listen: motd changed\n  shell: echo note >> {{ base }}/notes\n",
    );
    desk
}

/// The output without the padding of headlines and without times.
fn story(out: &str) -> String {
    let times = regex::Regex::new(r#""(delta|end|failed|start)": ("[^"]*"|true), "#).unwrap();
    let lines: Vec<&str> = out
        .lines()
        .map(|line| line.trim_end_matches('*').trim_end())
        .filter(|line| !line.is_empty())
        .collect();
    times.replace_all(&lines.join("\n"), "").into_owned()
}

fn recap(out: &str) -> String {
    let at = out.find("PLAY RECAP").unwrap_or_else(|| panic!("no recap: {out}"));
    let lines: Vec<String> = out[at..]
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.join("\n")
}

#[test]
fn r43_a_playbook_does_what_it_says_and_a_second_run_changes_nothing() {
    let desk = desk();
    let ran = desk.cmd("run site.yml -i hosts.ini -f 1").run().well();
    assert_eq!(story(&ran.out), STORY.trim());
    for (host, number) in [("web1", 1), ("web2", 2)] {
        let home = desk.home(host);
        assert_eq!(desk.host_file(host, "motd"), "welcome\n");
        assert_eq!(
            desk.host_file(host, "app/etc/app.conf"),
            format!("hello web{number}\nport=80\n")
        );
        assert_eq!(desk.host_file(host, "app/plain.txt"), "plain\n");
        assert_eq!(desk.host_file(host, "app/tree/sub/b c"), "b");
        // Two tasks notified it, it ran once.
        assert_eq!(desk.host_file(host, "reloads"), "reloaded\n");
        assert_eq!(desk.host_file(host, "notes"), "note\n");
        assert_eq!(
            (mode(&home.join("app/etc")), mode(&home.join("app/etc/app.conf"))),
            (0o750, 0o640)
        );
        assert_eq!(desk.read(&format!("got/{host}/tree/sub/b c")), "b");
        let fetched = format!("fetched/{host}{}/app/etc/app.conf", home.display());
        assert_eq!(desk.read(&fetched), format!("hello web{number}\nport=80\n"));
    }
    let before = snapshot(desk.fleet.dir().join("hosts").as_path());
    let ran = desk.cmd("run site.yml -i hosts.ini").run().well();
    assert_eq!(
        recap(&ran.out),
        "web1 : ok=11 changed=0 unreachable=0 failed=0 skipped=1 rescued=1 ignored=0\n\
         web2 : ok=12 changed=0 unreachable=0 failed=0 skipped=0 rescued=1 ignored=0"
    );
    assert_eq!(snapshot(desk.fleet.dir().join("hosts").as_path()), before);
    assert!(!desk.path("site.retry").exists());
}

const STORY: &str = r#"
PLAY [Site]
TASK [motd : Write]
changed: [web1]
changed: [web2]
TASK [Directories]
changed: [web1] => (item=etc)
changed: [web1] => (item=run)
changed: [web2] => (item=etc)
changed: [web2] => (item=run)
TASK [Configuration]
changed: [web1]
changed: [web2]
TASK [Plain file]
changed: [web1]
changed: [web2]
TASK [Look]
ok: [web1]
ok: [web2]
TASK [Remember]
ok: [web1]
ok: [web2]
TASK [Tell]
skipping: [web1]
ok: [web2] => {
    "msg": "web2 has 2 lines, first hello web2"
}
TASK [Break]
fatal: [web1]: FAILED! => {"changed": false, "cmd": ["sh", "-c", "echo no >&2; exit 7"], "msg": "non-zero return code", "rc": 7, "stderr": "no", "stderr_lines": ["no"], "stdout": "", "stdout_lines": []}
fatal: [web2]: FAILED! => {"changed": false, "cmd": ["sh", "-c", "echo no >&2; exit 7"], "msg": "non-zero return code", "rc": 7, "stderr": "no", "stderr_lines": ["no"], "stdout": "", "stdout_lines": []}
TASK [Mend]
ok: [web1] => {
    "msg": "rescued Break rc=7"
}
ok: [web2] => {
    "msg": "rescued Break rc=7"
}
TASK [Afterwards]
ok: [web1] => {
    "msg": "always"
}
ok: [web2] => {
    "msg": "always"
}
TASK [Tree up]
changed: [web1]
changed: [web2]
TASK [Tree down]
changed: [web1]
changed: [web2]
TASK [One file down]
changed: [web1]
changed: [web2]
RUNNING HANDLER [motd : Note]
changed: [web1]
changed: [web2]
RUNNING HANDLER [Reload]
changed: [web1]
changed: [web2]
PLAY RECAP
web1                       : ok=13   changed=9    unreachable=0    failed=0    skipped=1    rescued=1    ignored=0
web2                       : ok=14   changed=9    unreachable=0    failed=0    skipped=0    rescued=1    ignored=0
"#;

/// Everything below a folder: type, permissions, time of change, content or target.
fn snapshot(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    // Locks come and go in the store of the host.
    let walk = walkdir::WalkDir::new(root).into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name() != ".batchssh") {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let content = if meta.is_symlink() {
            std::fs::read_link(entry.path()).unwrap().display().to_string()
        } else if meta.is_file() {
            format!("{:?}", String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()))
        } else {
            String::new()
        };
        let line = format!("{:o} {}.{} {content}", meta.mode(), meta.mtime(), meta.mtime_nsec());
        all.insert(entry.path().display().to_string(), line);
    }
    all
}

const STATES: &str = r#"
- name: States
  hosts: web
  gather_facts: false
  vars: {base: "{{ homes }}/{{ inventory_hostname }}"}
  tasks:
    - {name: new directory, file: {path: "{{ base }}/new", state: directory}}
    - {name: file in it, copy: {content: "x\n", dest: "{{ base }}/new/x"}}
    - {name: same file, copy: {content: "kept\n", dest: "{{ base }}/kept", mode: "0644"}}
    - {name: other content, copy: {content: "new\n", dest: "{{ base }}/old", mode: "0600"}}
    - {name: template, template: {src: app.conf.j2, dest: "{{ base }}/conf"}, vars: {greeting: hi}}
    - {name: line, lineinfile: {path: "{{ base }}/lines", line: "b=2", regexp: "^b="}}
    - {name: line that is there, lineinfile: {path: "{{ base }}/lines", line: "a=1"}}
    - {name: tree, put: {src: tree, dest: "{{ base }}/tree"}}
    - {name: same tree, put: {src: tree, dest: "{{ base }}/tree2"}}
    - {name: down, get: {src: "{{ base }}/tree2", dest: got}}
    - {name: away, file: {path: "{{ base }}/rubbish", state: absent}}
    - {name: never there, file: {path: "{{ base }}/nothing", state: absent}}
    - {name: link, file: {src: kept, dest: "{{ base }}/link", state: link}}
    - {name: mode, file: {path: "{{ base }}/kept", mode: "0600"}}
"#;

#[test]
fn r44_check_mode_changes_nothing_and_names_exactly_the_tasks_that_then_change() {
    let desk = desk();
    desk.write("states.yml", STATES);
    for host in ["web1", "web2"] {
        let home = desk.home(host);
        std::fs::write(home.join("kept"), "kept\n").unwrap();
        std::fs::write(home.join("old"), "old\n").unwrap();
        std::fs::write(home.join("lines"), "a=1\nb=1\n").unwrap();
        std::fs::create_dir_all(home.join("tree2/sub")).unwrap();
        std::fs::write(home.join("tree2/a"), "a").unwrap();
        std::fs::write(home.join("tree2/sub/b c"), "b").unwrap();
    }
    std::fs::create_dir_all(desk.home("web1").join("rubbish/deep")).unwrap();
    let changed = |words: &str| {
        let ran = desk.cmd(words).arg("--output=json").run().code(0);
        let mut names: Vec<String> = ran
            .events()
            .iter()
            .filter(|event| event["event"] == "task_result" && event["status"] == "changed")
            .map(|event| format!("{}: {}", text(&event["host"]), text(&event["task"])))
            .collect();
        names.sort();
        names
    };
    let hosts = desk.fleet.dir().join("hosts");
    let before = snapshot(&hosts);
    let would = changed("run states.yml -i hosts.ini --check --diff");
    assert_eq!(snapshot(&hosts), before);
    assert!(!desk.path("got").exists());
    assert_eq!(changed("run states.yml -i hosts.ini"), would);
    assert_eq!(
        would
            .iter()
            .filter_map(|line| line.strip_prefix("web1: "))
            .collect::<Vec<_>>(),
        [
            "away",
            "down",
            "file in it",
            "line",
            "link",
            "mode",
            "new directory",
            "other content",
            "template",
            "tree"
        ]
    );
    assert!(!would.contains(&"web2: away".to_owned()));
    assert_ne!(snapshot(&hosts), before);
    assert_eq!(
        changed("run states.yml -i hosts.ini --check"),
        ["web1: same file", "web2: same file"]
    );
}

#[test]
fn a_difference_is_shown_line_by_line() {
    let desk = Desk::hosts(&["web1"]);
    let file = desk.home("web1").join("conf");
    std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
    desk.write("conf", "one\n2\nthree\n");
    desk.write(
        "diff.yml",
        &format!(
            "- hosts: web\n  gather_facts: false\n  tasks:\n    - copy: {{src: conf, dest: {}}}\n    - copy: {{content: \
             secret-one, dest: {0}.key}}\n      no_log: true\n",
            file.display()
        ),
    );
    let ran = desk.cmd("run diff.yml -i hosts.ini --diff --check").run().well();
    assert!(
        desk.plain(&ran.out).contains(
            "--- before: FLEET/hosts/web1/conf\n+++ after: DESK/conf\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
        ),
        "{}",
        desk.plain(&ran.out)
    );
    assert!(
        !ran.out.contains("secret-one") && !desk.journal().contains("\"secret-one\""),
        "{}",
        ran.out
    );
}
