//! The table of detections in `docs/detections.md`, which a test compares with the headers.

#[cfg(test)]
mod tests {
    use crate::detect::catalogue::built_in;
    use std::fmt::Write;

    const BEGIN: &str = "<!-- begin: table of detections, generated from their headers -->\n";
    const END: &str = "<!-- end: table of detections -->";

    fn table() -> String {
        let mut out = String::from("| detection | what | severity follows |\n| --- | --- | --- |\n");
        for detection in built_in().unwrap() {
            let (name, what, severity) = (detection.name, detection.what, detection.severity_follows);
            assert!(!what.contains('|') && !severity.contains('|'), "{name}");
            let _ = writeln!(out, "| `{name}` | {what} | {severity} |");
        }
        out
    }

    #[test]
    fn the_table_of_detections_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/detections.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let made = format!("{before}{BEGIN}{}{END}{after}", table());
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page == made, "docs/detections.md is not what the headers say; UPDATE_GOLDENS=1 cargo test makes it");
    }
}
