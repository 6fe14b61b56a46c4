//! The Grid Workload Format as a table: workflows of dependent jobs.

use super::*;

const WORKFLOW: usize = 0;
const JOB: usize = 1;
const SUBMITTED: usize = 2;
const RUN_TIME: usize = 3;
const ALLOCATED: usize = 4;
const REQUESTED: usize = 5;
const DEPENDENCIES: usize = 6;

const COLUMNS: &[Column] = &[
    need("workflowid"),
    need("jobid"),
    need("submittime"),
    need("runtime"),
    need("nprocs"),
    need("reqnprocs"),
    need("dependencies"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "gwf",
    title: "Grid Workload Format: workflows of the Grid Workloads Archive",
    columns: "WorkflowID, JobID, SubmitTime, RunTime (s), NProcs, ReqNProcs, Dependencies (JobIDs with spaces). A job is one replica of 1 core \
              per processor and is called workflow/job",
    source: "http://gwa.ewi.tudelft.nl (terms of each trace); samples in atlarge-research/opendc",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["workflowid", "jobid", "submittime", "runtime"]),
    make: || Box::new(Gwf),
};

struct Gwf;

impl Format for Gwf {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let workflow = fields.some_text(WORKFLOW)?;
        let mut arrival = Arrival::new(record.number, format!("{workflow}/{}", fields.some_text(JOB)?));
        arrival.group = Some(workflow.to_owned());
        let processors = if is_unknown(fields.text(REQUESTED)) { ALLOCATED } else { REQUESTED };
        arrival.n = fields.count_or_zero(processors)?.max(1);
        arrival.cpu_milli = 1000;
        arrival.duration = fields.span_if_any(RUN_TIME)?;
        let needs = fields.text(DEPENDENCIES).split_ascii_whitespace().filter(|dep| !is_unknown(dep));
        arrival.deps = needs.map(|dep| format!("{workflow}/{dep}")).collect();
        timed(fields.seconds(SUBMITTED)?, arrival)
    }
}
