//! Azure LLM inference traces 2023 and 2024: requests to a language model.

use super::*;

const TIME: usize = 0;
const CONTEXT: usize = 1;
const GENERATED: usize = 2;

const COLUMNS: &[Column] = &[need("timestamp"), need("contexttokens"), need("generatedtokens")];

/// Time per token of the prompt. Our assumption: the trace has no durations.
const PREFILL_US_PER_TOKEN: u64 = 200;
/// Time per generated token. Our assumption: the trace has no durations.
const DECODE_US_PER_TOKEN: u64 = 20_000;

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "azure-llm",
    title: "Azure LLM inference traces: requests with the length of their prompts and answers",
    columns: "TIMESTAMP, ContextTokens, GeneratedTokens. The trace has no durations: 0.2 ms per prompt token and 20 ms per generated token \
              (our assumption). Requests ask for nothing of their own; give them resources where the trace is used",
    source: "https://github.com/Azure/AzurePublicDataset (CC-BY-4.0)",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["timestamp", "contexttokens", "generatedtokens"]),
    make: || Box::new(Requests),
};

struct Requests;

impl Format for Requests {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, format!("request-{}", record.number));
        let prefill = u64::from(fields.count(CONTEXT)?) * PREFILL_US_PER_TOKEN;
        let decode = u64::from(fields.count(GENERATED)?) * DECODE_US_PER_TOKEN;
        arrival.duration = Some(Span::from_micros(prefill + decode));
        timed(fields.date(TIME)?, arrival)
    }
}
