//! Whether the host is a virtual machine or a container, or has such guests.

use serde_json::json;

use super::Facts;
use super::raw::Raw;

pub(super) fn add(raw: &Raw, facts: &mut Facts) {
    if !raw.has("cpu_flags") {
        return;
    }
    let guest = container(raw).or_else(|| machine(raw));
    let host = hosts(raw);
    let (kind, role) = match (guest, host) {
        (Some(kind), _) => (kind, "guest"),
        (None, Some(kind)) => (kind, "host"),
        (None, None) => ("NA", "NA"),
    };
    facts.set("virtual", "virtualization_type", kind);
    facts.set("virtual", "virtualization_role", role);
    facts.set("virtual", "virtualization_tech_guest", json!(guest.into_iter().collect::<Vec<_>>()));
    facts.set("virtual", "virtualization_tech_host", json!(host.into_iter().collect::<Vec<_>>()));
}

fn exists(raw: &Raw, path: &str) -> bool {
    raw.all("exists").any(|is| is == path)
}

fn container(raw: &Raw) -> Option<&'static str> {
    let cgroup = raw.get("cgroup");
    match raw.get("virt_container") {
        "docker" => Some("docker"),
        "podman" => Some("podman"),
        "lxc" | "lxc-libvirt" => Some("lxc"),
        "openvz" => Some("openvz"),
        "systemd-nspawn" => Some("systemd-nspawn"),
        "wsl" => Some("wsl"),
        "" | "none" => match () {
            () if exists(raw, "/.dockerenv") || exists(raw, "/.dockerinit") || cgroup.contains("/docker") => Some("docker"),
            () if exists(raw, "/run/.containerenv") || cgroup.contains("libpod") => Some("podman"),
            () if cgroup.contains("/lxc") => Some("lxc"),
            // Inside a container of OpenVZ there is `/proc/vz`, on its host `/proc/bc`, too.
            () if exists(raw, "/proc/vz") && !exists(raw, "/proc/bc") => Some("openvz"),
            () => None,
        },
        _ => Some("container"),
    }
}

fn machine(raw: &Raw) -> Option<&'static str> {
    match raw.get("virt_vm") {
        "kvm" | "amazon" | "qemu" => return Some("kvm"),
        "vmware" => return Some("VMware"),
        "oracle" => return Some("virtualbox"),
        "microsoft" => return Some("VirtualPC"),
        "xen" => return Some("xen"),
        "parallels" => return Some("parallels"),
        "bhyve" => return Some("bhyve"),
        _ => {}
    }
    let product = raw.get("product_name");
    let vendor = raw.get("sys_vendor");
    match () {
        () if raw.get("hypervisor") == "xen" || exists(raw, "/proc/xen") => Some("xen"),
        () if product == "VirtualBox" => Some("virtualbox"),
        () if product.starts_with("VMware") || vendor.starts_with("VMware") => Some("VMware"),
        () if vendor == "QEMU" || ["KVM", "KVM Server", "Bochs", "OpenStack Nova"].contains(&product) => Some("kvm"),
        () if vendor == "Amazon EC2" || vendor == "Red Hat" || product.contains("OpenStack") => Some("kvm"),
        () if vendor == "Microsoft Corporation" && product == "Virtual Machine" => Some("VirtualPC"),
        () if raw.get("cpu_flags").split_whitespace().any(|flag| flag == "hypervisor") => Some("kvm"),
        () => None,
    }
}

fn hosts(raw: &Raw) -> Option<&'static str> {
    if exists(raw, "/proc/bc") {
        return Some("openvz");
    }
    if exists(raw, "/dev/kvm") {
        return Some("kvm");
    }
    exists(raw, "/dev/vboxdrv").then_some("virtualbox")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> (String, String) {
        let mut facts = Facts::default();
        let mut all = vec![("cpu_flags", "")];
        all.extend_from_slice(pairs);
        add(&Raw::of(&all), &mut facts);
        let get = |at: usize| facts.0[at].2.as_str().unwrap_or_default().to_owned();
        (get(0), get(1))
    }

    #[test]
    fn guests_hosts_and_bare_metal_are_told_apart() {
        let pair = |kind: &str, role: &str| (kind.to_owned(), role.to_owned());
        assert_eq!(told(&[]), pair("NA", "NA"));
        assert_eq!(told(&[("exists", "/dev/kvm")]), pair("kvm", "host"));
        assert_eq!(told(&[("virt_vm", "vmware")]), pair("VMware", "guest"));
        assert_eq!(told(&[("virt_vm", "kvm"), ("virt_container", "docker")]), pair("docker", "guest"));
        assert_eq!(told(&[("product_name", "VirtualBox")]), pair("virtualbox", "guest"));
        assert_eq!(told(&[("exists", "/proc/vz")]), pair("openvz", "guest"));
    }
}
