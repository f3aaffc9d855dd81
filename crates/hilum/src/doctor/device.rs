//! Is the disk that holds patients' data encrypted? As the kernel tells it: mountinfo names the device, sysfs what it is made of.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Finding;

/// Where `proc` and `sys` are; tests have their own.
pub struct Surroundings {
    root: PathBuf,
}

impl Surroundings {
    /// This machine.
    pub fn this_machine() -> Self {
        Self { root: PathBuf::from("/") }
    }

    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A file of these, by its path without the first slash.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }
}

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AtRest {
    /// Every disk under it is reached through an encrypted layer.
    Encrypted,
    /// A disk under it holds plain bytes, as far as this system sees.
    Plain,
    /// In memory alone.
    Memory,
    /// This file system does not let us see it.
    Unknown(String),
}

pub(super) fn examine(data_dir: &Path, surroundings: &Surroundings) -> Vec<Finding> {
    let Ok(folder) = fs::canonicalize(data_dir) else { return Vec::new() };
    let what = "data folder's";
    let advice = "keep the data folder on a volume encrypted by LUKS (cryptsetup), or note for your records that disk or host encrypt";
    match at_rest(&folder, surroundings) {
        AtRest::Encrypted => Vec::new(),
        AtRest::Memory => vec![Finding::warning(
            "data_in_memory",
            "the data folder lies in memory: it is gone when the machine stops",
            "keep it on a disk",
        )],
        AtRest::Plain => vec![Finding::serious(
            "disk_not_encrypted",
            format!("this system does not encrypt the {what} disk: whoever takes it away reads patients' data"),
            advice,
        )],
        AtRest::Unknown(file_system) => vec![Finding::warning(
            "disk_encryption_unknown",
            format!("whether the {what} {file_system} is encrypted cannot be seen from here"),
            advice,
        )],
    }
}

/// Of the file system that holds an absolute path.
pub(super) fn at_rest(path: &Path, surroundings: &Surroundings) -> AtRest {
    let Some(mounts) = surroundings.read("proc/self/mountinfo") else {
        return AtRest::Unknown("file system".to_owned());
    };
    match mounts.lines().filter_map(Mount::parse).filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| {
        // Of two at one point the later one covers the other; max_by_key takes the last.
        mount.point.components().count()
    }) {
        Some(mount) if mount.file_system == "tmpfs" || mount.file_system == "ramfs" => AtRest::Memory,
        // Number 0 is no device: what lies under zfs, overlay or nfs is not told here.
        Some(mount) if !mount.device.starts_with("0:") => device(&mount.device, surroundings, 0),
        Some(mount) if mount.source.starts_with("/dev/") => named(&mount, surroundings),
        Some(mount) => AtRest::Unknown(format!("file system ({})", mount.file_system)),
        None => AtRest::Unknown("file system".to_owned()),
    }
}

/// btrfs has numbers of its own, but says the device.
fn named(mount: &Mount, surroundings: &Surroundings) -> AtRest {
    let unknown = || AtRest::Unknown(format!("file system ({})", mount.file_system));
    let Ok(real) = fs::canonicalize(surroundings.root.join(mount.source.trim_start_matches('/'))) else {
        return unknown();
    };
    let Some(name) = real.file_name().and_then(|name| name.to_str()) else { return unknown() };
    match surroundings.read(&format!("sys/class/block/{name}/dev")) {
        Some(number) => device(number.trim(), surroundings, 0),
        None => unknown(),
    }
}

/// Of a block device by its number, with the devices that it is made of.
pub(super) fn device(number: &str, surroundings: &Surroundings, depth: u32) -> AtRest {
    let folder = format!("sys/dev/block/{number}");
    if depth > 8 || !surroundings.root.join(&folder).exists() {
        return AtRest::Unknown("disk".to_owned());
    }
    // device-mapper says by whom a device was made: CRYPT-LUKS2-..., CRYPT-PLAIN-..., LVM-...
    if surroundings.read(&format!("{folder}/dm/uuid")).is_some_and(|uuid| uuid.starts_with("CRYPT-")) {
        return AtRest::Encrypted;
    }
    let below: Vec<String> = fs::read_dir(surroundings.root.join(&folder).join("slaves"))
        .map(|entries| {
            entries.flatten().filter_map(|entry| fs::read_to_string(entry.path().join("dev")).ok()).collect()
        })
        .unwrap_or_default();
    let mut worst = if below.is_empty() { AtRest::Plain } else { AtRest::Encrypted };
    for number in &below {
        match device(number.trim(), surroundings, depth + 1) {
            AtRest::Plain => return AtRest::Plain,
            AtRest::Encrypted => {}
            other => worst = other,
        }
    }
    worst
}

/// A line of /proc/self/mountinfo (proc(5)).
struct Mount {
    device: String,
    point: PathBuf,
    file_system: String,
    source: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(2);
        let (device, point) = (fields.next()?, fields.nth(1)?);
        let mut fields = after.split(' ');
        let (file_system, source) = (fields.next()?, fields.next()?);
        Some(Self {
            device: device.to_owned(),
            point: PathBuf::from(unescaped(point)),
            file_system: file_system.to_owned(),
            source: unescaped(source),
        })
    }
}

/// Spaces and the like stand there as octal numbers.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine: the lines of its mounts, and devices with number, dm/uuid and the numbers below.
    fn machine(mounts: &str, devices: &[(&str, Option<&str>, &[&str])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: String, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/self/mountinfo".to_owned(), mounts);
        for (number, uuid, below) in devices {
            write(format!("sys/dev/block/{number}/dev"), number);
            if let Some(uuid) = uuid {
                write(format!("sys/dev/block/{number}/dm/uuid"), uuid);
            }
            for (index, number) in below.iter().enumerate() {
                write(format!("sys/dev/block/{}/slaves/part{index}/dev", devices_number(devices, number)), number);
            }
        }
        folder
    }

    /// Who has this number below it.
    fn devices_number<'a>(devices: &[(&'a str, Option<&str>, &[&str])], below: &str) -> &'a str {
        devices.iter().find(|(_, _, numbers)| numbers.contains(&below)).unwrap().0
    }

    #[test]
    fn a_disk_is_encrypted_where_every_way_to_it_leads_through_crypt() {
        let root = "27 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n";
        let luks = Some("CRYPT-LUKS2-0123456789abcdef-root\n");
        let lvm = Some("LVM-abcdef\n");
        for (devices, expected) in [
            // LVM on LUKS on a partition.
            (
                vec![("253:0", lvm, &["253:1"][..]), ("253:1", luks, &["8:2"][..]), ("8:2", None, &[])],
                AtRest::Encrypted,
            ),
            // LUKS on LVM.
            (
                vec![("253:0", luks, &["253:1"][..]), ("253:1", lvm, &["8:2"][..]), ("8:2", None, &[])],
                AtRest::Encrypted,
            ),
            (vec![("253:0", lvm, &["8:2"][..]), ("8:2", None, &[])], AtRest::Plain),
            // A volume over two disks, of which one is plain.
            (
                vec![
                    ("253:0", lvm, &["253:1", "8:17"][..]),
                    ("253:1", luks, &["8:2"][..]),
                    ("8:2", None, &[]),
                    ("8:17", None, &[]),
                ],
                AtRest::Plain,
            ),
            (vec![("253:0", None, &[][..])], AtRest::Plain),
            (vec![], AtRest::Unknown("disk".to_owned())),
        ] {
            let machine = machine(root, &devices);
            assert_eq!(at_rest(Path::new("/srv/hilum"), &Surroundings::at(machine.path())), expected, "{devices:?}");
        }
    }

    #[test]
    fn the_innermost_mount_counts_and_what_cannot_be_seen_is_said() {
        let mounts = "27 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            28 27 0:50 / /srv rw - zfs tank/srv rw\n\
            29 27 0:51 / /var/lib rw - overlay overlay rw\n\
            30 27 0:52 / /dev/shm rw - tmpfs tmpfs rw\n\
            31 27 8:2 / /mnt/with\\040space rw - ext4 /dev/sda2 rw\n\
            32 27 253:7 / /srv/hilum rw - ext4 /dev/mapper/crypt rw\n";
        let devices = [
            ("8:1", None, &[][..]),
            ("8:2", Some("CRYPT-LUKS1-x"), &[][..]),
            ("253:7", Some("CRYPT-PLAIN-x"), &[][..]),
        ];
        let machine = machine(mounts, &devices);
        for (path, expected) in [
            ("/home", AtRest::Plain),
            ("/srvx", AtRest::Plain),
            ("/srv/other", AtRest::Unknown("file system (zfs)".to_owned())),
            ("/var/lib/hilum", AtRest::Unknown("file system (overlay)".to_owned())),
            ("/dev/shm/hilum", AtRest::Memory),
            ("/mnt/with space/hilum", AtRest::Encrypted),
            ("/srv/hilum/data", AtRest::Encrypted),
        ] {
            assert_eq!(at_rest(Path::new(path), &Surroundings::at(machine.path())), expected, "{path}");
        }
    }
}
