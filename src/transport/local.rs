//! `connection: local`: commands and files of this machine.
