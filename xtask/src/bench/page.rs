//! docs/benchmarks.md: sections between markers, each written by its own command.

use std::fmt::Write as _;

use anyhow::Context;

use crate::run;

const HEAD: &str = "# Benchmarks\n\nMedians; peers and limits were measured in the same run. Every section is written by its command.\n";

fn markers(name: &str) -> [String; 2] {
    [format!("<!-- section {name} -->"), format!("<!-- end of section {name} -->")]
}

/// The page with the section of that name replaced, or added at the end. What stood on the page without any marker is left out: it was a whole page
/// of the time before sections.
fn with_section(page: &str, name: &str, section: &str) -> anyhow::Result<String> {
    let [begin, end] = markers(name);
    let new = format!("{begin}\n{}\n{end}\n", section.trim_end());
    let Some(start) = page.find(&begin) else {
        let kept = if page.contains("<!-- section ") { page.trim_end() } else { HEAD.trim_end() };
        return Ok(format!("{kept}\n\n{new}"));
    };
    let after = page[start..].find(&end).with_context(|| format!("{end} is missing in the page"))?;
    let rest = &page[start + after + end.len()..];
    Ok(format!("{}{new}{}", &page[..start], rest.strip_prefix('\n').unwrap_or(rest)))
}

/// The page of most sections.
pub const BENCHMARKS: &str = "docs/benchmarks.md";

/// Writes one section of a page and leaves the others as they are.
pub fn write(page: &str, name: &str, section: &str) -> anyhow::Result<()> {
    let path = run::root().join(page);
    std::fs::create_dir_all(path.parent().context("a folder")?)?;
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| page.to_owned()),
    };
    std::fs::write(path, with_section(&before, name, section)?)?;
    Ok(())
}

/// When and on what something was measured, in one paragraph.
pub struct Machine {
    load: String,
}

impl Machine {
    /// Notes the load before the measurements begin.
    pub fn now() -> Self {
        Self { load: load() }
    }

    /// Date, cores, processor and load.
    pub fn sentence(&self) -> anyhow::Result<String> {
        let date = run::output(std::process::Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut text = format!("{}. Machine: {cores} cores, {}. ", date.trim(), processor());
        write!(text, "Load average at the start: {}, at the end: {}.", self.load, load())?;
        Ok(text)
    }
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().filter(|first| !first.is_empty()).unwrap_or("unknown").to_owned()
}

/// The processor's name, and the family by which its makers tell generations apart.
fn processor() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.split('\t').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, value)| value.trim())
    };
    format!("{} (family {}, model {})", field("model name"), field("cpu family"), field("model"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_only_itself() {
        let first = with_section("", "server", "## Server\n\n12/s").unwrap();
        let both = with_section(&first, "nn", "## Engine\n\n3 s\n").unwrap();
        let again = with_section(&both, "server", "## Server\n\n13/s").unwrap();
        assert!(again.starts_with("# Benchmarks\n"));
        assert!(again.contains("13/s") && !again.contains("12/s") && again.contains("3 s"));
        assert!(again.find("13/s") < again.find("3 s"), "a section keeps its place");
        assert_eq!(with_section(&again, "server", "## Server\n\n12/s").unwrap(), both);
    }

    #[test]
    fn a_page_of_the_time_before_sections_makes_room_and_a_section_without_end_is_refused() {
        let page = with_section("# Benchmarks\n\n| old | 1 |\n", "nn", "new").unwrap();
        assert!(!page.contains("old") && page.contains("new"));
        let error = with_section("<!-- section nn -->\ncut", "nn", "new").unwrap_err();
        assert!(error.to_string().contains("end of section nn"), "{error}");
    }
}
