//! The file systems there are, and what can be done with each.

/// One type of file system.
#[derive(Debug)]
pub(super) struct Kind {
    /// As `fstype` names it.
    pub(super) name: &'static str,
    /// As `blkid` names it.
    pub(super) found: &'static str,
    /// As Ansible's messages name it.
    pub(super) shown: &'static str,
    /// It can be made larger; and whether it must be mounted for that.
    pub(super) grows: Grows,
    /// Its UUID can be chosen.
    pub(super) uuid: bool,
    /// The program that tells its size.
    pub(super) info: &'static str,
}

/// Whether a file system can be made larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grows {
    No,
    Yes,
    /// While it is mounted.
    Mounted,
}

/// All of them.
pub(super) const KINDS: &[Kind] = &[
    kind("ext2", "ext2", "Ext2", Grows::Yes, true, "tune2fs"),
    kind("ext3", "ext3", "Ext3", Grows::Yes, true, "tune2fs"),
    kind("ext4", "ext4", "Ext4", Grows::Yes, true, "tune2fs"),
    kind("ext4dev", "ext4", "Ext4", Grows::Yes, true, "tune2fs"),
    kind("xfs", "xfs", "XFS", Grows::Mounted, true, "xfs_info"),
    kind("btrfs", "btrfs", "Btrfs", Grows::Mounted, false, "btrfs"),
    kind("f2fs", "f2fs", "F2fs", Grows::Yes, false, "dump.f2fs"),
    kind("vfat", "vfat", "VFAT", Grows::Yes, false, "fatresize"),
    kind("lvm", "LVM2_member", "LVM", Grows::Yes, true, "pvs"),
    kind("ocfs2", "ocfs2", "Ocfs2", Grows::No, false, ""),
    kind("reiserfs", "reiserfs", "Reiserfs", Grows::No, false, ""),
    kind("swap", "swap", "Swap", Grows::No, false, ""),
];

const fn kind(
    name: &'static str,
    found: &'static str,
    shown: &'static str,
    grows: Grows,
    uuid: bool,
    info: &'static str,
) -> Kind {
    Kind {
        name,
        found,
        shown,
        grows,
        uuid,
        info,
    }
}

impl Kind {
    /// The type of that name.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// True when `blkid` calls this type so.
    pub(super) fn is(&self, found: &str) -> bool {
        found == self.found || (self.found == "ext4" && found == "ext4dev")
    }
}
