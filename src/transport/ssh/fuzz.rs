//! What the fuzz targets need of this room: what a server sends, and the files of `ssh` that we read ourselves.

pub(crate) use super::config::fuzz::ssh_config;
pub(crate) use super::keys::fuzz::private_key;
pub(crate) use super::known_hosts::fuzz::known_hosts;
pub(crate) use super::sftp::fuzz::{sftp_client, sftp_packet};
