//! Alibaba cluster trace 2018: the batch task table, whose task names carry a graph of dependencies.

use super::*;

const TASK: usize = 0;
const N: usize = 1;
const JOB: usize = 2;
const STATUS: usize = 4;
const START: usize = 5;
const END: usize = 6;
const CPU: usize = 7;
const MEMORY: usize = 8;

const COLUMNS: &[Column] = &[
    need("task_name"),
    need("instance_num"),
    need("job_name"),
    need("task_type"),
    need("status"),
    need("start_time"),
    need("end_time"),
    may("plan_cpu"),
    may("plan_mem"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "alibaba-2018",
    title: "Alibaba cluster trace 2018: batch_task, 8 days of 4,000 machines, with dependencies",
    columns: "task_name, instance_num, job_name, task_type, status, start_time, end_time (s), plan_cpu (100 = 1 core), plan_mem (0-100 of a \
              machine, taken as 256 GiB); no header. `R3_1_2` is task 3 of its job and needs tasks 1 and 2; such a task is called job/3",
    source: "https://github.com/alibaba/clusterdata, cluster-trace-v2018",
    layout: table(Header::Either, COLUMNS),
    detect: |probe| {
        probe.is_table(9, &[1, 3, 5, 6, 7, 8]) && super::outcome(probe.fields()[4]).is_some()
            || probe.has_columns(&["task_name", "instance_num", "job_name", "task_type"])
    },
    make: || Box::new(BatchTask),
};

struct BatchTask;

impl Format for BatchTask {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let (job, task) = (fields.some_text(JOB)?, fields.some_text(TASK)?);
        let graph = graph(task);
        let name = graph.as_ref().map_or_else(|| task.to_owned(), |(number, _)| number.to_string());
        let mut arrival = Arrival::new(record.number, format!("{job}/{name}"));
        arrival.deps = graph.into_iter().flat_map(|(_, deps)| deps).map(|dep| format!("{job}/{dep}")).collect();
        arrival.group = Some(job.to_owned());
        arrival.n = fields.count_or_zero(N)?.max(1);
        arrival.outcome = outcome(fields.text(STATUS));
        arrival.cpu_milli = fields.amount_or_zero(CPU, 10)?;
        arrival.memory_bytes = fields.amount_or_zero(MEMORY, NORMALISED_MEMORY / 100)?;
        let Some(start) = fields.seconds_if_any(START)?.filter(|&start| start > 0) else {
            return Ok(Err(NO_START));
        };
        let over = matches!(arrival.outcome, Some(Outcome::Succeeded | Outcome::Failed | Outcome::Killed));
        if let Some(end) = fields.seconds_if_any(END)?.filter(|&end| over && end > 0) {
            arrival.duration = Some(fields.span_between(start, end, END)?);
        }
        timed(start, arrival)
    }
}

/// The number of a task and those it needs, if its name tells: letters, its number, then `_` and a number for each it needs.
/// Parts that are not numbers (`Stg1`) are ignored, as are needs of itself.
fn graph(task: &str) -> Option<(u32, Vec<u32>)> {
    let mut parts = task.split('_');
    let head = parts.next()?;
    let digits = head.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if digits.len() == head.len() {
        return None;
    }
    let number = digits.parse().ok()?;
    let deps = parts.filter_map(|part| part.parse().ok()).filter(|&dep| dep != number).collect();
    Some((number, deps))
}

#[cfg(test)]
mod tests {
    use super::graph;

    #[test]
    fn task_names_tell_the_graph() {
        let rows = [
            ("M1", Some((1, vec![]))),
            ("R2_1", Some((2, vec![1]))),
            ("J3_1_2", Some((3, vec![1, 2]))),
            ("R12_3_Stg4", Some((12, vec![3]))),
            ("M4_4", Some((4, vec![]))),
            ("task_Nzg3ODcwNDk5", None),
            ("MergeTask", None),
            ("", None),
        ];
        for (name, want) in rows {
            assert_eq!(graph(name), want, "{name}");
        }
    }
}
