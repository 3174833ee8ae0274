//! Which words of a command line lead another command to the same hosts: inventory, user, keys, jump hosts. For messages that
//! say what to type.

/// Options with a value.
const VALUED: &[&str] = &[
    "-i",
    "--inventory",
    "-u",
    "--user",
    "--private-key",
    "--key-file",
    "--connection-password-file",
    "--conn-pass-file",
    "-c",
    "--connection",
    "--known-hosts",
    "--host-key-checking",
    "--ssh-common-args",
    "--ssh-extra-args",
    "--become-method",
    "--become-password-file",
    "--become-pass-file",
    "--vault-id",
    "--vault-password-file",
    "--vault-pass-file",
    "--config",
];
/// Options without one.
const BARE: &[&str] = &["-k", "--ask-pass", "-K", "--ask-become-pass"];

/// Those of `words` that matter, as they were given.
pub fn words(words: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = words.iter().take_while(|word| *word != "--");
    while let Some(word) = rest.next() {
        let joined = |option: &&&str| {
            let more = word.strip_prefix(**option);
            more.is_some_and(|more| more.starts_with('=') || (option.len() == 2 && !more.is_empty()))
        };
        if VALUED.contains(&word.as_str()) {
            out.push(word.clone());
            out.extend(rest.next().cloned());
        } else if BARE.contains(&word.as_str()) || VALUED.iter().find(joined).is_some() {
            out.push(word.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_leads_to_the_hosts_is_kept_and_nothing_else() {
        let text = "run site.yml -i hosts.ini -f 5 --inventory=more -uops -k --limit web --private-key id -D -- -i x";
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        assert_eq!(
            super::words(&words).join(" "),
            "-i hosts.ini --inventory=more -uops -k --private-key id"
        );
    }
}
