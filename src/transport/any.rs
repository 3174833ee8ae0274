//! One door for both ways to a host: this machine (`connection: local`) and SSH.

use crate::deadline::Deadline;
use crate::transport::local::LocalTransport;
use crate::transport::ssh::SshTransport;
use crate::transport::{ConnectError, ConnectSettings, KeyKind, Session, ShownKeys, Transport};

/// Runs on this machine where the settings say `local`, and by SSH elsewhere.
pub struct AnyTransport {
    ssh: SshTransport,
    local: LocalTransport,
}

impl AnyTransport {
    /// Puts the two together.
    pub fn new(ssh: SshTransport) -> Self {
        Self {
            ssh,
            local: LocalTransport,
        }
    }
}

impl Transport for AnyTransport {
    fn connect(&self, target: &ConnectSettings, deadline: &Deadline) -> Result<Box<dyn Session>, ConnectError> {
        if target.local {
            self.local.connect(target, deadline)
        } else {
            self.ssh.connect(target, deadline)
        }
    }

    fn host_keys(
        &self,
        target: &ConnectSettings,
        kinds: &[KeyKind],
        deadline: &Deadline,
    ) -> Result<ShownKeys, ConnectError> {
        if target.local {
            self.local.host_keys(target, kinds, deadline)
        } else {
            self.ssh.host_keys(target, kinds, deadline)
        }
    }
}
