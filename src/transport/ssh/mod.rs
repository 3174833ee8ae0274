//! SSH by libssh2. The only folder that names `ssh2`.

pub mod sftp;
