//! Going on through everything a playbook can be made of. Each task counts on its host; one of them fails once. After
//! `retry` every task has run as often as in a run that nothing disturbed, and the one that failed once more.

use std::collections::BTreeMap;

use crate::support::Desk;

/// How often each task ran on a host.
fn counts(desk: &Desk, host: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in desk.host_file(host, "ran").lines() {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// The first failure of a task on a host is made by a file, which it takes away.
const COUNT: &str =
    "#!/bin/sh\necho \"$1\" >> ran; if [ -e \"fail-$1\" ]; then rm \"fail-$1\"; exit 1; fi; echo \"$1 of $PWD\"\n";

fn desk(hosts: &[&str], site: &str) -> Desk {
    let desk = Desk::hosts(hosts);
    for host in hosts {
        let path = desk.home(host).join("count");
        std::fs::write(&path, COUNT).unwrap();
    }
    desk.write("site.yml", site);
    desk.write(
        "more.yml",
        "- name: in {{ part }}\n  shell: sh count include-{{ part }}\n  register: inner\n- set_fact: {last: '{{ part }} {{ inner.stdout }}'}\n",
    );
    desk.write(
        "roles/web/tasks/main.yml",
        "- name: role\n  shell: sh count role-{{ size }}\n  notify: reload\n",
    );
    desk.write(
        "roles/web/handlers/main.yml",
        "- name: reload\n  shell: sh count reload\n",
    );
    desk
}

/// What remains of a run: files, handlers that ran, values that were carried along.
const SITE: &str = r"
- hosts: web
  tasks:
    - name: first
      shell: sh count first
      register: first
    - name: facts of its own
      set_fact: {mine: '{{ inventory_hostname }} {{ first.stdout }}'}
    - name: items
      shell: sh count item-{{ item }}
      loop: [p, q, r]
      register: items
    - name: parts
      include_tasks: more.yml
      loop: [x, y]
      loop_control: {loop_var: part}
    - name: asked until it is there
      shell: sh count until; grep -c until ran
      register: tries
      until: tries.stdout_lines[-1] | int >= 2
      delay: 0
    - name: once for all
      shell: sh count once
      run_once: true
      register: shared
    - name: notifies
      shell: sh count notifies
      notify: [restart, hear]
    - block:
        - name: breaks
          shell: sh count breaks; exit 3
        - name: never
          shell: sh count never
      rescue:
        - name: rescues
          shell: 'sh count rescues; echo {{ ansible_failed_result.rc }} {{ ansible_failed_task.name }} > rescued'
      always:
        - name: always
          shell: sh count always
    - name: on the other
      shell: sh count other
      delegate_to: '{{ groups.web[0] }}'
    - name: not here
      shell: sh count nowhere
      when: false
    - name: does not matter
      shell: sh count ignored; false
      ignore_errors: true
      register: ignored
    - import_role: {name: web}
      vars: {size: big}
    - name: flushed
      meta: flush_handlers
    - name: notifies again
      shell: sh count again
      notify: restart
    - name: writes it down
      copy:
        dest: ~/seen
        content: |
          {{ mine }}
          {{ items.results | map(attribute='stdout') | join(' ') }}
          {{ last }}
          {{ shared.stdout }}
          {{ ignored.rc }} {{ tries.attempts }}
          {{ hostvars[groups.web[0]].first.stdout }}
    - name: last
      shell: sh count last
  handlers:
    - name: restart
      shell: sh count restart
    - name: listens
      listen: hear
      shell: sh count hears
- hosts: web
  gather_facts: false
  tasks:
    - name: second play
      shell: 'sh count second && echo {{ mine }} {{ ansible_facts.hostname is defined }} > second'
";

const STATE: [&str; 3] = ["seen", "rescued", "second"];

fn state(desk: &Desk, host: &str) -> Vec<String> {
    STATE
        .iter()
        .map(|name| desk.plain(&desk.host_file(host, name)))
        .map(|text| {
            text.lines()
                .map(|line| line.replace(desk.fleet.dir().to_str().unwrap(), ""))
                .collect()
        })
        .collect()
}

/// Fails each of these tasks once on `where_`, and goes on.
fn disturbed(hosts: &[&str], site: &str, how: &str, points: &[(&str, &str)]) {
    let undisturbed = desk(hosts, site);
    undisturbed.cmd("run site.yml -i hosts.ini").args(how).run().well();
    for (point, place) in points {
        let desk = desk(hosts, site);
        std::fs::write(desk.home(place).join(format!("fail-{point}")), "").unwrap();
        desk.cmd("run site.yml -i hosts.ini").args(how).run().code(2);
        desk.cmd("retry").run().well();
        for host in hosts {
            let mut wanted = counts(&undisturbed, host);
            if host == place {
                *wanted.get_mut(*point).unwrap() += 1;
            }
            assert_eq!(counts(&desk, host), wanted, "{point} failed on {place}; this is {host}");
            assert_eq!(
                state(&desk, host),
                state(&undisturbed, host),
                "{point} failed on {place}; this is {host}"
            );
        }
        desk.cmd("runs verify").run().well();
    }
}

#[test]
fn whatever_task_failed_once_the_others_run_once() {
    disturbed(
        &["a", "b"],
        SITE,
        "",
        &[
            ("first", "b"),
            ("item-q", "b"),
            ("include-y", "b"),
            ("restart", "b"),
            ("last", "a"),
        ],
    );
}

#[test]
fn the_same_where_hosts_walk_freely_and_where_they_come_in_batches() {
    disturbed(
        &["a", "b"],
        &SITE.replace(
            "    - name: once for all\n      shell: sh count once\n      run_once: true\n",
            "    - name: once for all\n      shell: sh count once\n",
        ),
        "--strategy free",
        &[("hears", "b")],
    );
    disturbed(
        &["a", "b", "c"],
        &SITE.replace("- hosts: web\n  tasks:", "- hosts: web\n  serial: [1, 2]\n  tasks:"),
        "",
        &[("notifies", "b"), ("second", "c")],
    );
}

#[test]
fn what_one_host_does_for_all_is_not_done_again_on_another() {
    let desk = desk(
        &["a", "b"],
        r"
- hosts: web
  gather_facts: false
  tasks:
    - {name: before, shell: sh count before}
    - name: once
      shell: sh count once
      run_once: true
      register: shared
    - {name: after, shell: 'sh count after; echo {{ shared.stdout }} > shared'}
",
    );
    std::fs::write(desk.home("b").join("fail-before"), "").unwrap();
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    desk.cmd("retry").run().well();
    let text = |counts: BTreeMap<String, usize>| format!("{counts:?}");
    assert_eq!(text(counts(&desk, "a")), r#"{"after": 1, "before": 1, "once": 1}"#);
    assert_eq!(text(counts(&desk, "b")), r#"{"after": 1, "before": 2}"#);
    assert_eq!(desk.host_file("b", "shared"), desk.host_file("a", "shared"));
    assert!(desk.host_file("b", "shared").starts_with("once of "));
}

#[test]
fn finished_items_of_a_loop_are_not_done_again_and_changed_items_are_refused() {
    let site = r"
- hosts: web
  gather_facts: false
  tasks:
    - name: items
      shell: sh count {{ item }}
      loop: [p, q, r, s]
      register: done
    - copy: {dest: ~/seen, content: '{{ done.results | map(attribute=`stdout`) | map(`split`) | map(`first`) | join(` `) }}'}
"
    .replace('`', "\"");
    let first = desk(&["a"], &site);
    std::fs::write(first.home("a").join("fail-q"), "").unwrap();
    first.cmd("run site.yml -i hosts.ini").run().code(2);
    first.cmd("retry").run().well();
    assert_eq!(first.host_file("a", "ran"), "p\nq\nr\ns\nq\n");
    assert_eq!(first.host_file("a", "seen"), "p q r s");

    // The items come from somewhere else.
    let second = desk(&["a"], &site.replace("[p, q, r, s]", "'{{ items }}'"));
    std::fs::write(second.home("a").join("fail-q"), "").unwrap();
    second.write("group_vars/web.yml", "items: [p, q, r, s]\n");
    second.cmd("run site.yml -i hosts.ini").run().code(2);
    second.write("group_vars/web.yml", "items: [q, p, r, s]\n");
    let ran = second.cmd("retry").run().code(10);
    assert!(
        ran.out.contains("the items of the loop are not those of run"),
        "{}",
        ran.out
    );
    assert_eq!(second.host_file("a", "ran"), "p\nq\nr\ns\n");
}

#[test]
fn a_value_that_was_hidden_is_asked_for_again_or_says_why_it_is_not_there() {
    let desk = desk(
        &["a"],
        r"
- hosts: web
  gather_facts: false
  tasks:
    - name: a look
      command: echo token-1
      changed_when: false
      no_log: true
      register: looked
    - name: an act
      shell: sh count act; echo token-2
      no_log: true
      register: acted
    - name: fails once
      shell: sh count fails
    - name: uses the look
      shell: 'echo {{ looked.stdout }} > looked'
      no_log: true
    - name: asks whether
      shell: 'echo {{ acted is defined }} > asked'
    - name: uses the act
      shell: 'echo {{ acted.stdout }} > acted'
",
    );
    std::fs::write(desk.home("a").join("fail-fails"), "").unwrap();
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    let ran = desk.cmd("retry").run().code(2);
    assert!(
        ran.out
            .contains("the result of `an act` was not kept in the journal of the earlier run: `no_log` hides it"),
        "{}",
        ran.out
    );
    assert_eq!(desk.host_file("a", "looked"), "token-1\n");
    assert_eq!(desk.host_file("a", "asked"), "False\n");
    assert_eq!(desk.host_file("a", "ran"), "act\nfails\nfails\n");
    for run in desk.runs() {
        let journal = std::fs::read_to_string(run.join("journal.ndjson")).unwrap();
        assert!(!journal.contains("\"token-"), "{journal}");
    }
}

#[test]
fn a_walk_that_leads_elsewhere_than_before_is_refused_on_that_host() {
    let desk = desk(
        &["a", "b"],
        r"
- hosts: web
  gather_facts: false
  tasks:
    - {name: one, shell: sh count one}
    - include_tasks: '{{ which }}'
    - {name: three, shell: sh count three}
",
    );
    desk.write("group_vars/web.yml", "which: more.yml\npart: x\n");
    std::fs::write(desk.home("a").join("fail-three"), "").unwrap();
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    desk.write("other.yml", "- {name: elsewhere, shell: sh count elsewhere}\n");
    desk.write("group_vars/web.yml", "which: other.yml\npart: x\n");
    let ran = desk.cmd("retry").run().code(10);
    assert!(ran.out.contains("this task was not in it, and `in x`"), "{}", ran.out);
    assert_eq!(desk.host_file("a", "ran"), "one\ninclude-x\nthree\n");
    desk.write("group_vars/web.yml", "which: more.yml\npart: x\n");
    desk.cmd("retry").run().well();
    assert_eq!(desk.host_file("a", "ran"), "one\ninclude-x\nthree\nthree\n");
}
