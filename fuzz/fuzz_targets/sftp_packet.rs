#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| batchssh::fuzzing::sftp_packet(data));
