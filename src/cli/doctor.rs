//! `doctor`: what is in the data directory and whether it holds together.

use std::path::Path;

use super::args::DoctorArgs;
use super::exit::{Exit, Stop};
use super::out::Out;
use crate::boot::store_stop;
use crate::store::doctor;

/// Runs the checks or the repair that was asked for.
pub fn run(out: &Out, data: &Path, args: &DoctorArgs) -> Result<Exit, Stop> {
    if let Some(file) = &args.export {
        let mut sink = std::io::BufWriter::new(
            std::fs::File::create(file).map_err(|e| Stop::usage(format!("{}: {e}", file.display())))?,
        );
        let n = doctor::export(data, &mut sink).map_err(store_stop)?;
        std::io::Write::flush(&mut sink)?;
        out.line(&format!("{n} {} → {}", out.t("facts", "条事实"), file.display()))?;
        return Ok(Exit::Ok);
    }
    if args.rebuild {
        doctor::rebuild(data).map_err(store_stop)?;
    }
    if args.compact {
        doctor::compact(data).map_err(store_stop)?;
    }
    let report = doctor::check(data).map_err(store_stop)?;
    if out.json {
        let mut value = serde_json::to_value(&report).map_err(|e| Stop::usage(e.to_string()))?;
        if let Some(object) = value.as_object_mut() {
            object.insert("type".to_owned(), "doctor".into());
        }
        out.object(&value)?;
    } else {
        out.line(&report.to_string())?;
    }
    Ok(if report.sound() { Exit::Ok } else { Exit::Failed })
}
