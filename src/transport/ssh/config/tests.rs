use std::process::Command;

use super::*;

fn user(home: &Path) -> LocalUser {
    LocalUser {
        home: home.to_owned(),
        name: "me".to_owned(),
        agent: Some(PathBuf::from("/agent")),
    }
}

fn resolve(text: &str, address: &str, change: impl FnOnce(&mut ConnectRequest)) -> Result<ConnectSettings, String> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    std::fs::write(&file, text).unwrap();
    let mut request = ConnectRequest {
        address: address.to_owned(),
        ..ConnectRequest::default()
    };
    change(&mut request);
    SshConfig::load(user(home.path()), Some(&file))?.resolve(&HostName::from("inventory-name"), &request)
}

#[test]
fn the_first_value_wins_and_the_request_before_all() {
    let text = "Host web*\n  Port 2200\n  User www\nHost *\n  Port 2300\n  User other\n  ConnectTimeout 3\n";
    let got = resolve(text, "web1", |_| {}).unwrap();
    assert_eq!(
        (got.port, got.user.as_str(), got.timeout),
        (2200, "www", Duration::from_secs(3))
    );
    let got = resolve(text, "web1", |request| {
        request.ssh_args = ["-p", "2400", "-o", "User=arg"].map(str::to_owned).to_vec();
    });
    let got = got.unwrap();
    assert_eq!((got.port, got.user.as_str()), (2400, "arg"));
    let got = resolve(text, "web1", |request| {
        request.port = Some(2500);
        request.user = Some("asked".to_owned());
        request.timeout = Some(Duration::from_secs(1));
        request.ssh_args = vec!["-p2400".to_owned()];
    });
    let got = got.unwrap();
    assert_eq!(
        (got.port, got.user.as_str(), got.timeout),
        (2500, "asked", Duration::from_secs(1))
    );
}

#[test]
fn without_a_word_the_defaults_hold() {
    let got = resolve("", "web1", |_| {}).unwrap();
    assert_eq!((got.address.as_str(), got.port, got.user.as_str()), ("web1", 22, "me"));
    assert_eq!(
        (got.host_key_check, got.timeout),
        (HostKeyCheck::Strict, DEFAULT_TIMEOUT)
    );
    assert_eq!(got.agent, Some(PathBuf::from("/agent")));
    assert!(got.key_files.is_empty() && got.jumps.is_empty() && got.proxy_command.is_none());
    assert!(got.known_hosts[0].ends_with(".ssh/known_hosts"));
}

#[test]
fn r15_jump_hosts_are_looked_up_themselves_and_get_no_password() {
    let text = "Host target\n ProxyJump far\nHost far\n ProxyJump near:2201\n User f\nHost near\n HostName 127.0.0.9\n";
    let got = resolve(text, "target", |request| {
        request.password = Some(crate::secret::Secret::new("hunter2".to_owned()));
        request.key_file = Some(PathBuf::from("/key"));
    });
    let got = got.unwrap();
    let jumps: Vec<String> = got
        .jumps
        .iter()
        .map(|j| format!("{}@{}:{}", j.user, j.address, j.port))
        .collect();
    assert_eq!(jumps, ["me@127.0.0.9:2201", "f@far:22"]);
    assert!(
        got.jumps
            .iter()
            .all(|jump| jump.password.is_none() && jump.key_files.is_empty())
    );
    let round = "Host a\n ProxyJump b\nHost b\n ProxyJump a\n";
    assert!(resolve(round, "a", |_| {}).unwrap_err().contains("circles"));
    assert_eq!(resolve("Host *\n ProxyJump a\n", "x", |_| {}).unwrap().jumps.len(), 1);
    // A jump host behind another one is reached through that, whatever command there is for all hosts.
    let both = "Host x\n ProxyJump a,b\nHost *\n ProxyCommand nc proxy %h %p\n";
    let jumps = resolve(both, "x", |_| {}).unwrap().jumps;
    let commands: Vec<bool> = jumps.iter().map(|jump| jump.proxy_command.is_some()).collect();
    assert_eq!(commands, [true, false]);
    // No jumps is not no command.
    let got = resolve("ProxyJump none\nProxyCommand nc a 1\n", "x", |_| {}).unwrap();
    assert_eq!((got.jumps.len(), got.proxy_command.as_deref()), (0, Some("nc a 1")));
}

#[test]
fn a_proxy_command_gets_quoted_tokens() {
    let got = resolve("Host *\n ProxyCommand nc -x \"%h\" %p %%\n", "web1", |_| {}).unwrap();
    assert_eq!(got.proxy_command.as_deref(), Some("nc -x \"web1\" 22 %"));
    let got = resolve("ProxyCommand none\nProxyJump a\n", "web1", |_| {}).unwrap();
    assert!(got.proxy_command.is_none() && got.jumps.is_empty());
}

#[test]
fn mistakes_name_their_place() {
    assert!(
        resolve("Host *\n  Port x\n", "a", |_| {})
            .unwrap_err()
            .contains("config:2: ")
    );
    assert!(
        resolve("Host \"a\n", "a", |_| {})
            .unwrap_err()
            .contains("config:1: a quote")
    );
    assert!(resolve("IdentityFile ~/%z\n", "a", |_| {}).unwrap_err().contains("%z"));
    assert!(
        resolve("", "-oProxyCommand=id", |_| {})
            .unwrap_err()
            .contains("not a host name")
    );
    assert!(resolve("", "a", |request| request.user = Some("-l".to_owned())).is_err());
}

#[test]
fn keys_of_the_request_come_first_and_defaults_never_after_others() {
    let text = "IdentityFile /a\nIdentityFile ~/b\nHost x\nIdentityFile /a\n";
    let got = resolve(text, "x", |request| request.key_file = Some(PathBuf::from("/first"))).unwrap();
    let names: Vec<_> = got
        .key_files
        .iter()
        .map(|f| f.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["first", "a", "b"]);
    let got = resolve("PubkeyAuthentication no\nIdentityFile /a\n", "x", |_| {}).unwrap();
    assert!(got.key_files.is_empty() && got.agent.is_none());
}

/// Small configurations of many shapes.
fn generated() -> Vec<String> {
    let heads = [
        "Host *",
        "Host web1 db1",
        "Host * !web1",
        "Host web?",
        "Match host web1",
        "Match originalhost w*,!web2",
        "Match user bob",
        "Match !user bob",
        "Match all",
        "Match host 10.0.0.1 user root",
        "Match final host 10.0.0.1",
    ];
    let bodies = [
        "HostName 10.0.0.1\nPort 2200",
        "User bob\nPort=2300",
        "Port = 2400\nHostKeyAlias alias-%%",
        "HostName %h.example\nStrictHostKeyChecking accept-new",
        "ConnectTimeout 7\nIdentitiesOnly yes",
        "IdentityFile /k/\"a b\"\nIdentityFile /k/%h-%r",
        "UserKnownHostsFile /k/1 /k/2\nStrictHostKeyChecking no",
        "ProxyJump bob@jump:2022,second",
        "User root\nConnectionAttempts 4",
    ];
    let mut all = Vec::new();
    for (i, first) in heads.iter().enumerate() {
        for (j, body) in bodies.iter().enumerate() {
            let other = heads[(i + j * 3 + 1) % heads.len()];
            let more = bodies[(j * 2 + i + 1) % bodies.len()];
            all.push(format!("{first}\n{body}\n{other}\n{more}\nHost *\nPort 9\nUser last\n"));
        }
    }
    all
}

#[test]
fn settings_are_those_ssh_itself_works_out() {
    if Command::new("ssh").arg("-V").output().is_err() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    let me = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let me = LocalUser {
        name: me.trim().to_owned(),
        ..user(home.path())
    };
    for text in generated() {
        std::fs::write(&file, &text).unwrap();
        let config = SshConfig::load(me.clone(), Some(&file)).unwrap();
        for host in ["web1", "db1"] {
            let out = Command::new("ssh")
                .args(["-G", "-F"])
                .arg(&file)
                .arg(host)
                .output()
                .unwrap();
            if !out.status.success() {
                continue;
            }
            let said = String::from_utf8(out.stdout).unwrap();
            let get = |key: &str| {
                let mut values = said
                    .lines()
                    .filter_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
                values.next().unwrap_or_default().to_owned()
            };
            let request = ConnectRequest {
                address: host.to_owned(),
                ..ConnectRequest::default()
            };
            let got = config.resolve(&HostName::from(host), &request).unwrap();
            let context = format!("{host} in\n{text}");
            assert_eq!(got.address, get("hostname"), "{context}");
            assert_eq!(got.port.to_string(), get("port"), "{context}");
            assert_eq!(got.user, get("user"), "{context}");
            assert_eq!(
                got.host_key_alias.clone().unwrap_or_default(),
                get("hostkeyalias"),
                "{context}"
            );
            assert_eq!(
                if got.identities_only { "yes" } else { "no" },
                get("identitiesonly"),
                "{context}"
            );
            let check = match got.host_key_check {
                HostKeyCheck::Strict => "ask",
                HostKeyCheck::AcceptNew => "accept-new",
                HostKeyCheck::Off => "false",
            };
            assert_eq!(check, get("stricthostkeychecking"), "{context}");
            assert_eq!(got.jumps.is_empty(), get("proxyjump").is_empty(), "{context}");
            if text.contains("IdentityFile") && !got.key_files.is_empty() {
                // ssh -G shows the tokens unfilled: their number and order are compared.
                let theirs = said.lines().filter(|line| line.starts_with("identityfile ")).count();
                assert_eq!(got.key_files.len(), theirs, "{context}");
            }
        }
    }
}
