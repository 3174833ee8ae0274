//! Login: keys, then the agent's, then keyboard-interactive, then password, as OpenSSH goes about it. When all fail the
//! error says what was tried and what the server takes.

use libssh2_sys as raw;
use zeroize::Zeroizing;

use super::agent;
use super::fault::Fault;
use super::keys::KeyStore;
use crate::deadline::Deadline;
use crate::secret::Secret;
use crate::transport::{ConnectSettings, Stage};

/// Servers close the connection after six failures (MaxAuthTries).
const MAX_KEYS: usize = 5;

/// One login.
pub(super) struct Login<'a> {
    pub(super) session: &'a ssh2::Session,
    pub(super) settings: &'a ConnectSettings,
    pub(super) keys: &'a KeyStore,
    pub(super) deadline: &'a Deadline,
    /// False when the host's key is not the known one and was let pass: a password would go to a stranger.
    pub(super) may_send_password: bool,
}

/// What was tried so far.
#[derive(Default)]
struct Tried {
    keys: usize,
    notes: Vec<String>,
}

enum Step {
    In,
    No,
}

impl Login<'_> {
    /// Logs in.
    pub(super) fn run(&self) -> Result<(), Fault> {
        let mut tried = Tried::default();
        // Asking for the methods first would cost a round trip that a good key does not need.
        if let Step::In = self.files(&mut tried)? {
            return Ok(());
        }
        if let Step::In = self.agent(&mut tried)? {
            return Ok(());
        }
        let methods = match self.session.auth_methods(&self.settings.user) {
            Ok(methods) => methods.to_owned(),
            Err(_) if self.session.authenticated() => return Ok(()),
            Err(error) => return Err(self.failed(&error, &tried)),
        };
        if self.session.authenticated() {
            return Ok(());
        }
        if let Some(password) = &self.settings.password {
            if self.may_send_password {
                if let Step::In = self.password(password, &methods, &mut tried)? {
                    return Ok(());
                }
            } else {
                tried
                    .notes
                    .push("the password was not sent, because the host's key is not the known one".to_owned());
            }
        }
        Err(self.refused(&methods, &tried))
    }

    fn files(&self, tried: &mut Tried) -> Result<Step, Fault> {
        for path in &self.settings.key_files {
            if tried.keys >= MAX_KEYS {
                tried.notes.push(format!("only the first {MAX_KEYS} keys were tried"));
                break;
            }
            let outcome = self.keys.load(path, self.settings.passphrase.as_ref());
            let key = match &*outcome {
                Ok(key) => key,
                Err(problem) => {
                    tried.notes.push(problem.reason.clone());
                    continue;
                }
            };
            let passphrase = key.passphrase.as_ref().map(|secret| secret.reveal().as_str());
            let forms = [key.certificate.as_ref(), key.public.as_ref()];
            // Without any public part libssh2 works it out of the private one.
            let forms = forms.iter().flatten().map(|form| Some(form.as_str()));
            let forms: Vec<Option<&str>> = forms.collect();
            let forms = if forms.is_empty() { vec![None] } else { forms };
            for public in forms {
                tried.keys = tried.keys.saturating_add(1);
                match self
                    .session
                    .userauth_pubkey_memory(&self.settings.user, public, &key.private, passphrase)
                {
                    Ok(()) => return Ok(Step::In),
                    Err(error) => match code(&error) {
                        raw::LIBSSH2_ERROR_AUTHENTICATION_FAILED | raw::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED => {
                            let kind = if public.is_some_and(|p| p.contains("-cert-v01@")) {
                                "certificate of key"
                            } else {
                                "key"
                            };
                            tried
                                .notes
                                .push(format!("{kind} `{}` was not accepted", path.display()));
                        }
                        raw::LIBSSH2_ERROR_FILE | raw::LIBSSH2_ERROR_KEYFILE_AUTH_FAILED => {
                            let why = if passphrase.is_some() {
                                "wrong pass phrase, or a format that is not supported"
                            } else {
                                "its format is not supported"
                            };
                            tried
                                .notes
                                .push(format!("key `{}` cannot be used: {why}", path.display()));
                            break;
                        }
                        raw::LIBSSH2_ERROR_METHOD_NOT_SUPPORTED | raw::LIBSSH2_ERROR_ALGO_UNSUPPORTED => {
                            tried.notes.push(format!(
                                "key `{}` is of a type the server does not take",
                                path.display()
                            ));
                            break;
                        }
                        _ => return Err(self.failed(&error, tried)),
                    },
                }
            }
        }
        Ok(Step::No)
    }

    fn agent(&self, tried: &mut Tried) -> Result<Step, Fault> {
        let Some(socket) = &self.settings.agent else {
            return Ok(Step::No);
        };
        if tried.keys >= MAX_KEYS {
            return Ok(Step::No);
        }
        // Asked by ourselves first: libssh2 waits for an agent without a limit.
        let held = match agent::identities(socket, self.deadline) {
            Ok(held) => held,
            Err(why) => {
                tried
                    .notes
                    .push(format!("no answer from the agent `{}`: {why}", socket.display()));
                return Ok(Step::No);
            }
        };
        let outcomes: Vec<_> = self
            .settings
            .key_files
            .iter()
            .map(|path| self.keys.load(path, self.settings.passphrase.as_ref()))
            .collect();
        // Keys whose file could not be used are what the agent is for; those that were tried already are not.
        let wanted: Vec<&[u8]> = outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().as_ref().err()?.public_blob.as_deref())
            .collect();
        let spent: Vec<Vec<u8>> = outcomes
            .iter()
            .filter_map(|outcome| super::keys::public_blob(outcome.as_ref().as_ref().ok()?.public.as_deref()?))
            .collect();
        let mut blobs: Vec<&Vec<u8>> = held.iter().filter(|blob| wanted.contains(&blob.as_slice())).collect();
        if !self.settings.identities_only {
            blobs.extend(
                held.iter()
                    .filter(|blob| !wanted.contains(&blob.as_slice()) && !spent.contains(blob)),
            );
        }
        if blobs.is_empty() {
            tried.notes.push("the agent holds no key to try".to_owned());
            return Ok(Step::No);
        }
        let mut agent = match self.session.agent() {
            Ok(agent) => agent,
            Err(error) => return Err(self.failed(&error, tried)),
        };
        if agent
            .set_identity_path(socket)
            .and_then(|()| agent.connect())
            .and_then(|()| agent.list_identities())
            .is_err()
        {
            tried
                .notes
                .push(format!("no answer from the agent `{}`", socket.display()));
            return Ok(Step::No);
        }
        let identities = agent.identities().unwrap_or_default();
        for blob in blobs {
            if tried.keys >= MAX_KEYS {
                tried.notes.push(format!("only the first {MAX_KEYS} keys were tried"));
                break;
            }
            let Some(identity) = identities.iter().find(|identity| identity.blob() == blob.as_slice()) else {
                continue;
            };
            tried.keys = tried.keys.saturating_add(1);
            match agent.userauth(&self.settings.user, identity) {
                Ok(()) => return Ok(Step::In),
                Err(error) => match code(&error) {
                    raw::LIBSSH2_ERROR_SOCKET_DISCONNECT
                    | raw::LIBSSH2_ERROR_SOCKET_RECV
                    | raw::LIBSSH2_ERROR_SOCKET_SEND => return Err(self.failed(&error, tried)),
                    raw::LIBSSH2_ERROR_AUTHENTICATION_FAILED | raw::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED => {
                        tried
                            .notes
                            .push(format!("key `{}` of the agent was not accepted", identity.comment()));
                    }
                    _ => tried.notes.push(format!(
                        "the agent could not sign with key `{}`: {}",
                        identity.comment(),
                        error.message()
                    )),
                },
            }
        }
        Ok(Step::No)
    }

    fn password(&self, password: &Secret<String>, methods: &str, tried: &mut Tried) -> Result<Step, Fault> {
        let has = |method: &str| methods.split(',').any(|m| m.trim() == method);
        let user = self.settings.user.as_str();
        if has("keyboard-interactive") {
            let mut answers = Answers {
                password,
                asked: 0,
                given: 0,
            };
            match self.session.userauth_keyboard_interactive(user, &mut answers) {
                Ok(()) => return Ok(Step::In),
                Err(error) if is_no(&error) => {
                    if answers.given > 0 {
                        // The same password again by another method would only lock the account sooner.
                        tried
                            .notes
                            .push("the password was not accepted (keyboard-interactive)".to_owned());
                        return Ok(Step::No);
                    }
                    tried
                        .notes
                        .push("keyboard-interactive asked for something else than a password".to_owned());
                }
                Err(error) => return Err(self.failed(&error, tried)),
            }
        }
        if has("password") {
            match self.session.userauth_password(user, password.reveal()) {
                Ok(()) => return Ok(Step::In),
                Err(error) if code(&error) == raw::LIBSSH2_ERROR_PASSWORD_EXPIRED => {
                    tried
                        .notes
                        .push("the password has expired: log in once by hand and change it".to_owned());
                }
                Err(error) if is_no(&error) => tried.notes.push("the password was not accepted".to_owned()),
                Err(error) => return Err(self.failed(&error, tried)),
            }
        }
        Ok(Step::No)
    }

    /// The server said no to everything.
    fn refused(&self, methods: &str, tried: &Tried) -> Fault {
        let mut message = format!("login as `{}` was refused: ", self.settings.user);
        if tried.notes.is_empty() {
            message.push_str("there is no key, no agent and no password to log in with");
        } else {
            message.push_str(&tried.notes.join("; "));
        }
        message.push_str("; the server takes ");
        message.push_str(&clean(methods).replace(',', ", "));
        let wants_password = methods.contains("password") || methods.contains("keyboard-interactive");
        if wants_password && self.settings.password.is_none() {
            message.push_str(" (-k asks for a password)");
        }
        Fault::new(Stage::Login, message)
    }

    /// The connection or the protocol broke in the middle.
    fn failed(&self, error: &ssh2::Error, tried: &Tried) -> Fault {
        let mut message = format!(
            "login as `{}` broke off: {}",
            self.settings.user,
            clean(error.message())
        );
        if !tried.notes.is_empty() {
            message = format!("{message} (before: {})", tried.notes.join("; "));
        }
        match self.deadline.remaining() {
            Err(stop) => Fault::stopped(
                Stage::Login,
                &format!("no end of the login as `{}`", self.settings.user),
                stop,
            ),
            Ok(_) => Fault::new(Stage::Login, message),
        }
    }
}

/// libssh2's number for an error.
pub(super) fn code(error: &ssh2::Error) -> i32 {
    match error.code() {
        ssh2::ErrorCode::Session(code) | ssh2::ErrorCode::SFTP(code) => code,
    }
}

fn is_no(error: &ssh2::Error) -> bool {
    matches!(
        code(error),
        raw::LIBSSH2_ERROR_AUTHENTICATION_FAILED | raw::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED
    )
}

/// Words from the server, fit for a message.
pub(super) fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// Answers a keyboard-interactive login: the password for a question that hides its answer, once.
struct Answers<'a> {
    password: &'a Secret<String>,
    asked: usize,
    given: usize,
}

impl ssh2::KeyboardInteractivePrompt for Answers<'_> {
    fn prompt(&mut self, _user: &str, _instructions: &str, prompts: &[ssh2::Prompt<'_>]) -> Vec<String> {
        self.asked = self.asked.saturating_add(1);
        prompts
            .iter()
            .map(|prompt| {
                if self.answers(prompt) {
                    self.given = self.given.saturating_add(1);
                    // libssh2 copies it; the copy made here is wiped by nobody, as the interface wants a String.
                    Zeroizing::new(self.password.reveal().clone()).to_string()
                } else {
                    String::new()
                }
            })
            .collect()
    }
}

impl Answers<'_> {
    fn answers(&self, prompt: &ssh2::Prompt<'_>) -> bool {
        let text = prompt.text.to_lowercase();
        let other = [
            "otp",
            "token",
            "verification",
            "passcode",
            "one-time",
            "new password",
            "code:",
        ];
        self.given == 0 && !prompt.echo && !other.iter().any(|word| text.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use ssh2::KeyboardInteractivePrompt;

    use super::*;

    fn prompt(text: &str, echo: bool) -> ssh2::Prompt<'_> {
        ssh2::Prompt {
            text: text.into(),
            echo,
        }
    }

    #[test]
    fn the_password_answers_one_hidden_question_only() {
        let password = Secret::new("hunter2".to_owned());
        let mut answers = Answers {
            password: &password,
            asked: 0,
            given: 0,
        };
        assert_eq!(answers.prompt("", "", &[prompt("Your name: ", true)]), [""]);
        assert_eq!(answers.prompt("", "", &[prompt("One-time code: ", false)]), [""]);
        assert_eq!(answers.prompt("", "", &[prompt("Password: ", false)]), ["hunter2"]);
        assert_eq!(answers.prompt("", "", &[prompt("Password: ", false)]), [""]);
    }
}
