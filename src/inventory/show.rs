//! What `batchssh inventory` prints: the same as `ansible-inventory`.
