//! Azure VM traces 2017 (V1) and 2019 (V2): the table of virtual machines.

use super::*;

const ID: usize = 0;
const SUBSCRIPTION: usize = 1;
const DEPLOYMENT: usize = 2;
const CREATED: usize = 3;
const DELETED: usize = 4;
const CATEGORY: usize = 8;
const CORES: usize = 9;
const MEMORY: usize = 10;

const COLUMNS: &[Column] = &[
    need("vm id"),
    need("subscription id"),
    need("deployment id"),
    need("timestamp vm created"),
    need("timestamp vm deleted"),
    need("max cpu"),
    need("avg cpu"),
    need("p95 max cpu"),
    need("vm category"),
    need("vm virtual core count"),
    need("vm memory (gb)"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "azure-vm",
    title: "Azure VM traces 2017 (V1) and 2019 (V2): vmtable, 2 million virtual machines in 30 days",
    columns: "vm id, subscription id, deployment id, created, deleted (s), max CPU, avg CPU, p95 of max CPU, category, cores, memory (GB); no \
              header. In V2 cores and memory are buckets: `>24` and `>64` count as 30 cores and 70 GB (our assumption)",
    source: "https://github.com/Azure/AzurePublicDataset (CC-BY-4.0)",
    layout: table(Header::Either, COLUMNS),
    detect: |probe| {
        let fields = probe.fields();
        probe.is_table(11, &[3, 4, 5, 6, 7]) && ["Delay-insensitive", "Interactive", "Unknown"].contains(&fields[8])
    },
    make: || Box::new(VmTable),
};

struct VmTable;

impl Format for VmTable {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(ID)?);
        arrival.group = fields.optional(DEPLOYMENT);
        arrival.user = fields.optional(SUBSCRIPTION);
        arrival.qos = fields.optional(CATEGORY);
        arrival.cpu_milli = match fields.text(CORES) {
            ">24" => 30_000,
            _ => fields.amount(CORES, 1000)?,
        };
        arrival.memory_bytes = match fields.text(MEMORY) {
            ">64" => 70 * GIB,
            _ => fields.amount(MEMORY, GIB)?,
        };
        let created = fields.seconds(CREATED)?;
        if let Some(deleted) = fields.seconds_if_any(DELETED)? {
            arrival.duration = Some(fields.span_between(created, deleted, DELETED)?);
        }
        timed(created, arrival)
    }
}
