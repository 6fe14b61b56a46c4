//! Traces: every sample of every format, hostile rows, order, windows, conversion.

use std::io::Write as _;
use std::path::PathBuf;

use wavetank::engine::{Draws, Span, Time};
use wavetank::workload::{
    Arrival, FORMATS, GenerateSpec, Input, NODE_FORMATS, Outcome, ReadOptions, Trace, detect_format, format, fuzz_rows,
    pods, read_nodes, stats, write_node_table, write_nodes, write_pods, write_table,
};

fn sample(name: &str) -> Input {
    Input::file(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/traces")).join(name))
}

fn shared(path: &str) -> Option<Input> {
    let root = std::env::var("WAVETANK_SHARED").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
    let path = PathBuf::from(root).join("traces").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(Input::file(path))
}

fn open(input: Input) -> Trace {
    Trace::open(input.clone(), None, ReadOptions::default()).unwrap_or_else(|error| panic!("{}: {error}", input.name()))
}

fn all(trace: &Trace) -> Vec<Arrival> {
    trace.arrivals().expect("opens").map(|arrival| arrival.expect("checked")).collect()
}

fn text(format: &str, text: &str) -> Result<Vec<Arrival>, String> {
    let trace = Trace::open(Input::memory("t", text.as_bytes()), Some(format), ReadOptions::default());
    trace.map(|trace| all(&trace)).map_err(|error| error.to_string())
}

/// Sample, its format, rows, arrivals.
const SAMPLES: [(&str, &str, u64, u64); 22] = [
    ("alibaba-gpu-2023.csv", "alibaba-gpu-2023", 200, 200),
    ("alibaba-gpu-2020.csv", "alibaba-gpu-2020", 60, 58),
    ("alibaba-2017.csv", "alibaba-2017", 50, 50),
    ("alibaba-2018.csv", "alibaba-2018", 0, 0),
    ("alibaba-dlrm-2025.csv", "alibaba-dlrm-2025", 40, 40),
    ("alibaba-spot-2026.csv", "alibaba-spot-2026", 40, 40),
    ("google-2011.csv", "google-2011", 0, 0),
    ("google-2019.jsonl", "google-2019", 0, 0),
    ("azure-vm.csv", "azure-vm", 40, 40),
    ("azure-llm.csv", "azure-llm", 80, 80),
    ("philly.json", "philly", 30, 0),
    ("philly-compact.csv", "philly-compact", 40, 40),
    ("helios.csv", "helios", 40, 40),
    ("acme.csv", "acme", 40, 40),
    ("tiresias.csv", "tiresias", 30, 30),
    ("sia.csv", "sia", 30, 30),
    ("swf.swf", "swf", 50, 50),
    ("gwf.gwf", "gwf", 30, 30),
    ("batsim.json", "batsim", 40, 40),
    ("shockwave.trace", "shockwave", 30, 30),
    ("omega.log", "omega", 35, 20),
    ("sparrow.tr", "sparrow", 25, 25),
];

#[test]
fn every_sample_is_recognised_and_read() {
    for (file, name, rows, arrivals) in SAMPLES {
        let trace = open(sample(file));
        assert_eq!(trace.format().name, name, "{file}");
        let report = trace.report();
        let read = all(&trace);
        println!("{file}: {} rows, {} arrivals, {:?}", report.rows, report.arrivals, report.not_arrivals);
        assert_eq!(read.len() as u64, report.arrivals, "{file}");
        assert!(rows == 0 || rows == report.rows, "{file}: {} rows", report.rows);
        assert!(arrivals == 0 || arrivals == report.arrivals, "{file}: {} arrivals", report.arrivals);
        assert_eq!(read.first().map(|first| first.at), Some(Time::ZERO), "{file}");
        assert!(read.is_sorted_by_key(|arrival| arrival.at), "{file}");
        let left_out: u64 = report.not_arrivals.values().sum();
        assert_eq!(report.arrivals + left_out, report.rows, "{file}");
    }
    let documented: Vec<&str> = FORMATS.iter().map(|format| format.name).filter(|name| *name != "wavetank").collect();
    for name in &documented {
        assert!(SAMPLES.iter().any(|(_, format, ..)| format == name), "{name} has no sample");
    }
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/traces/README.md")).expect("reads");
    for info in FORMATS {
        assert!(readme.contains(&format!("`{}`", info.name)), "traces/README.md lists {}", info.name);
    }
}

#[test]
fn the_canonical_table_keeps_everything() {
    for (file, ..) in SAMPLES {
        let trace = open(sample(file));
        let mut table = Vec::new();
        write_table(trace.arrivals().expect("opens"), &mut table).expect("writes");
        let again = open(Input::memory("table", table));
        assert_eq!(again.format().name, "wavetank");
        let (a, b) = (all(&trace), all(&again));
        assert_eq!(a.len(), b.len());
        for (mut a, b) in a.into_iter().zip(b) {
            // The row is the place in the file that was read.
            a.row = b.row;
            assert_eq!(a, b, "{file}");
        }
    }
}

#[test]
fn arrivals_become_pods_and_machines_become_nodes() {
    let mut yaml = Vec::new();
    let trace = open(sample("google-2011.csv"));
    let n = write_pods(trace.arrivals().expect("opens"), &mut yaml).expect("writes");
    let yaml = String::from_utf8(yaml).expect("UTF-8");
    assert_eq!(yaml.matches("kind: Pod\n").count() as u64, n);
    assert!(yaml.contains("kind: PriorityClass"));
    let nodes = read_nodes(&sample("alibaba-gpu-2023-nodes.csv"), None).expect("reads");
    assert_eq!(nodes.len(), 24);
    let mut table = Vec::new();
    write_node_table(&nodes, &mut table).expect("writes");
    assert_eq!(read_nodes(&Input::memory("n", table), None).expect("reads"), nodes);
    let mut yaml = Vec::new();
    write_nodes(&nodes, &mut yaml).expect("writes");
    assert_eq!(String::from_utf8_lossy(&yaml).matches("kind: Node\n").count(), 24);
}

#[test]
fn every_table_of_machines_is_recognised() {
    let rows = [
        ("alibaba-gpu-2023-nodes.csv", 24),
        ("alibaba-gpu-2020-machines.csv", 5),
        ("alibaba-2017-machines.csv", 8),
        ("alibaba-2018-machines.csv", 8),
        ("google-2011-machines.csv", 10),
        ("google-2019-machines.jsonl", 6),
        ("tiresias-cluster.csv", 8),
    ];
    for (file, n) in rows {
        let nodes = read_nodes(&sample(file), None).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(nodes.len(), n, "{file}");
        assert!(nodes.iter().all(|node| node.cpu_milli > 0 && node.memory_bytes > 0), "{file}");
    }
    let error = read_nodes(&sample("sia.csv"), Some("openb")).expect_err("refused").to_string();
    assert!(NODE_FORMATS.iter().all(|info| error.contains(info.name)), "{error}");
}

#[test]
fn a_bad_row_is_placed_and_explained() {
    let head = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n";
    let good = "a,1000,1024,1,500,T4,LS,Running,0,10,0\n";
    let rows = [
        ("b,NaN,1024,0,0,,LS,Running,0,10,0", "t:3:3: column `cpu_milli` is not a number: `NaN`"),
        ("b,-5,1024,0,0,,LS,Running,0,10,0", "t:3:3: column `cpu_milli` is negative: `-5`"),
        ("b,99999999999999999999,1,0,0,,LS,Running,0,10,0", "column `cpu_milli` is too large"),
        ("b,1000,9223372036854775,0,0,,LS,Running,0,10,0", "column `memory_mib` is too large"),
        ("b,1000", "t:3:1: the row has 2 fields, column `memory_mib` is missing"),
        ("b,1000,1024,1.5,0,,LS,Running,0,10,0", "column `num_gpu` is not a whole number: `1.5`"),
        ("b,1000,1024,1,0,,LS,Running,0,10,0", "column `gpu_milli` is 0 although GPUs are asked for"),
        (",1000,1024,0,0,,LS,Running,0,10,0", "t:3:1: column `name` is empty"),
        ("b,1000,1024,0,0,,LS,Running,20,10,20", "column `deletion_time` is before the start"),
        ("b,1e400,1024,0,0,,LS,Running,0,10,0", "column `cpu_milli` is too large"),
        ("\"b,1000,1024,0,0,,LS,Running,0,10,0", "a quoted field does not end on its line"),
    ];
    for (row, message) in rows {
        let error = text("alibaba-gpu-2023", &format!("{head}{good}{row}\n")).expect_err("refused");
        assert!(error.contains(message), "{row}: {error}");
    }
    let error = text("alibaba-gpu-2023", "name,cpu\na,1\n").expect_err("refused");
    assert!(error.contains("t:1:1: the header has no column `cpu_milli`"), "{error}");
    let error = text("alibaba-gpu-2023", "").expect_err("refused");
    assert!(error.contains("the file is empty"), "{error}");
    let error = format("alibaba-gpu-2032").err().expect("unknown").to_string();
    assert!(error.contains("did you mean `alibaba-gpu-2023`?") && error.contains("swf"), "{error}");
}

#[test]
fn bad_rows_are_skipped_and_counted_on_request() {
    let mut bytes = b"name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,0,0\n".to_vec();
    bytes.extend_from_slice(b"b,x,1,0,0\n\xff\xfe,1,1,0,0\nc,1,1,0,0\n");
    bytes.extend(std::iter::repeat_n(b'z', 3 << 20));
    bytes.extend_from_slice(b"\nd,1,1,0,0");
    let input = Input::memory("t", bytes);
    let strict = Trace::open(input.clone(), None, ReadOptions::default()).expect_err("refused");
    assert!(strict.to_string().starts_with("t:3:3: column `cpu_milli`"), "{strict}");
    let options = ReadOptions { skip_bad_rows: true, ..ReadOptions::default() };
    let trace = Trace::open(input, None, options).expect("opens");
    let names: Vec<String> = all(&trace).into_iter().map(|arrival| arrival.name).collect();
    assert_eq!(names, ["a", "c", "d"]);
    let report = trace.report();
    assert_eq!((report.rows, report.bad_rows, report.arrivals), (6, 3, 3));
    let errors: Vec<String> = report.first_errors.iter().map(ToString::to_string).collect();
    assert!(errors[1].contains("not UTF-8") && errors[2].contains("longer than 1 MiB"), "{errors:?}");
}

#[test]
fn hostile_bytes_never_panic() {
    let pieces: [&[u8]; 22] = [
        b"", b"\n\n\n", b"\xff\xfe\x00", b",,,,,,,,,,,,,\n", b"NaN,inf,-inf,1e999,-0,+,.,-\n", b"[", b"{", b"[{}]", b"{\"jobs\":[{}],\"profiles\":{}}",
        b"{\"jobs\":[{\"id\":1,\"subtime\":1e300,\"res\":1,\"profile\":\"p\"}],\"profiles\":{\"p\":{\"type\":\"composed\",\"seq\":[\"p\",\"p\",\"p\"],\"repeat\":18446744073709551615}}}",
        b"9223372036854775807 9223372036854775807 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n-9223372036854775807 -9223372036854775807 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n",
        b"11 0 j 1 1 0 1 1\n11 -9000000000000 j 1 1 1 1 1\n11 9000000000000 j 1 1 4294967295 1 1\n12 9000000000000 j 1 1 1\n",
        b"\"\"\"\"\"\n\"a\"b\"c\",\"\n", b"a\tb\tc\td\te\tf\tg\n",
        b"-1,-1,-1,-1,-1,-1,-1,-1\n", b"0,0,18446744073709551616,0,0,0,0,0,0,0,0,0,0\n", b"0,,1,1,,0,u,0,99999999999,1e18,1e18,0,0\n",
        b"{\"time\":\"-5\",\"type\":0,\"collection_id\":1,\"instance_index\":2}\n{\"time\":9223372036854775807,\"type\":0,\"collection_id\":1,\"instance_index\":2,\"resource_request\":{\"cpus\":1e308}}\n",
        b"name,submit_us,cpu_milli,memory_bytes\nx,9223372036854775807,9223372036854775807,9223372036854775807\ny,0,1,1\n",
        b"timestamp,duration,num_gpus\n2023-02-30 00:00:00,1,1\n9999-12-31 23:59:59,1,4294967295\n-9223372036854,1,9\n",
        b"TIMESTAMP,ContextTokens,GeneratedTokens\n-9999-01-01 00:00:00,4294967295,4294967295\n",
        b"\x1f\x8b\x08\x00broken gzip",
    ];
    for info in FORMATS {
        for bytes in pieces {
            fuzz_rows(info.name, bytes);
        }
        for (file, ..) in SAMPLES {
            let bytes =
                std::fs::read(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/traces")).join(file)).expect("reads");
            fuzz_rows(info.name, &bytes[..bytes.len() / 2]);
        }
    }
    for bytes in pieces {
        let _ = detect_format(&Input::memory("x", bytes));
        let _ = read_nodes(&Input::memory("x", bytes), None);
    }
    let deep = Input::memory("deep", b"[".repeat(200_000));
    assert!(Trace::open(deep, Some("philly"), ReadOptions::default()).is_err());
    assert!(Trace::open(Input::file("/nonexistent/trace"), Some("swf"), ReadOptions::default()).is_err());
    let error = Trace::open(Input::file("/"), Some("swf"), ReadOptions::default()).expect_err("refused");
    assert!(error.to_string().contains("is a directory"), "{error}");
}

/// Every sample with bytes changed, doubled and lost at random: rows are refused or read, nothing panics.
#[test]
fn damaged_samples_never_panic() {
    let n_rounds: u64 = std::env::var("WAVETANK_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let tokens: [&[u8]; 12] =
        [b"-1", b"NaN", b"9223372036854775807", b"1e308", b"\"", b",", b"\n", b"\xff", b"{", b"]", b"0", b" "];
    for (file, name, ..) in SAMPLES {
        let bytes =
            std::fs::read(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/traces")).join(file)).expect("reads");
        for round in 0..n_rounds {
            let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ bytes.len() as u64;
            let mut next = |n: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as usize % n
            };
            let mut damaged = bytes.clone();
            for _ in 0..1 + next(6) {
                let at = next(damaged.len());
                match next(3) {
                    0 => drop(damaged.splice(at..at, tokens[next(tokens.len())].iter().copied())),
                    1 => drop(damaged.drain(at..(at + 1 + next(20)).min(damaged.len()))),
                    _ => damaged[at] = tokens[next(tokens.len())][0],
                }
                if damaged.is_empty() {
                    break;
                }
            }
            fuzz_rows(name, &damaged);
        }
    }
}

#[test]
fn options_choose_scale_and_hurry() {
    let table = "name,submit_us,duration_us,cpu_milli,memory_bytes\na,5000000,7,1000,100\nb,25000000,7,3,50\nc,15000000,7,1000,100\nd,95000000,7,1000,100\n";
    let read = |options: ReadOptions| {
        let trace = Trace::open(Input::memory("t", table.as_bytes()), None, options).expect("opens");
        let all = all(&trace);
        assert_eq!(trace.report().arrivals, all.len() as u64);
        all
    };
    let shown = |arrivals: &[Arrival]| -> String {
        arrivals.iter().map(|a| format!("{}{}@{} ", a.name, a.row, a.at.as_micros())).collect()
    };
    assert_eq!(shown(&read(ReadOptions::default())), "a0@0 c2@10000000 b1@20000000 d3@90000000 ");
    let hurry = read(ReadOptions { speed: 2.0, cpu_scale: 0.5, memory_scale: 3.0, ..ReadOptions::default() });
    assert_eq!(shown(&hurry), "a0@0 c2@5000000 b1@10000000 d3@45000000 ");
    assert_eq!((hurry[2].cpu_milli, hurry[2].memory_bytes, hurry[2].duration), (2, 150, Some(Span::from_micros(7))));
    let window =
        ReadOptions { from: Some(Span::from_secs(10)), to: Some(Span::from_secs(90)), ..ReadOptions::default() };
    assert_eq!(shown(&read(window.clone())), "c2@0 b1@10000000 ");
    assert_eq!(shown(&read(ReadOptions { limit: Some(1), ..window })), "c2@0 ");
    assert_eq!(shown(&read(ReadOptions { limit: Some(0), ..ReadOptions::default() })), "");
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let options = ReadOptions { speed: bad, ..ReadOptions::default() };
        assert!(Trace::open(Input::memory("t", table.as_bytes()), None, options).is_err(), "{bad}");
    }
}

#[test]
fn a_large_file_out_of_order_comes_in_order() {
    let n = wavetank::workload::BATCH as u64 + 5000;
    let mut table = String::from("name,submit_us,cpu_milli,memory_bytes\n");
    for i in 0..n {
        table.push_str(&format!("p{i},{},1,1\n", i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20));
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(table.as_bytes()).expect("memory");
    let trace = open(Input::memory("t.gz", packed.finish().expect("memory")));
    assert!(!trace.report().sorted);
    let arrivals = all(&trace);
    assert_eq!(arrivals.len() as u64, n);
    assert!(arrivals.is_sorted_by_key(|arrival| (arrival.at, arrival.row)));
}

#[test]
fn statistics_add_up() {
    let table = "name,submit_us,duration_us,replicas,cpu_milli,memory_bytes,gpus,gpu_milli,outcome\n\
                 a,0,10000000,2,1000,100,,,Succeeded\nb,5000000,10000000,1,500,100,1,500,Failed\nc,20000000,,1,4000,100,,,\n";
    let trace = open(Input::memory("t", table.as_bytes()));
    let stats = stats(trace.arrivals().expect("opens")).expect("reads");
    assert_eq!((stats.arrivals, stats.replicas, stats.no_duration), (3, 4, 1));
    assert_eq!((stats.peak.cpu_milli, stats.peak.replicas, stats.peak.gpu_milli), (4000, 3, 500));
    assert_eq!(stats.cpu_work, 25_000 * 1_000_000);
    assert_eq!(stats.outcomes.get(&Outcome::Failed), Some(&1));
    let gaps = stats.inter_arrival_us;
    assert!(
        gaps.min.abs_diff(5_000_000) < 5_000 && gaps.max.abs_diff(15_000_000) < 15_000 && gaps.mean == 1e7,
        "{gaps:?}"
    );
    assert!(stats.to_string().contains("inter-arrival"), "{stats}");
}

#[test]
fn a_generated_workload_is_the_same_table_twice() {
    let spec = GenerateSpec::from_json(&serde_json::json!({"poisson": {"rate": "12/s"}, "lifetime": {"exponential": {"mean": "5m"}},
        "cpu": {"uniform": {"min": "100m", "max": 2}}, "memory": {"lognormal": {"median": "300Mi", "p99": "4Gi"}}, "limit": 500}))
    .expect("valid");
    let table = || {
        let mut bytes = Vec::new();
        write_table(spec.arrivals(&Draws::new(7), 0).map(Ok), &mut bytes).expect("writes");
        bytes
    };
    assert_eq!(table(), table());
    assert_eq!(all(&open(Input::memory("t", table()))).len(), 500);
}

#[test]
fn samples_say_what_they_should() {
    let dag = text("alibaba-2018", "R3_1_2,4,j_9,1,Terminated,100,130,150,0.5\n").expect("reads");
    assert_eq!((dag[0].name.as_str(), dag[0].n, dag[0].cpu_milli), ("j_9/3", 4, 1500));
    assert_eq!(dag[0].deps, ["j_9/1", "j_9/2"]);
    assert_eq!(dag[0].duration, Some(Span::from_secs(30)));
    let pai =
        text("alibaba-gpu-2020", "j,worker,2.0,Terminated,50.0,80.5,600.0,29.296875,150.0,V100\n").expect("reads");
    assert_eq!((pai[0].gpu.count, pai[0].gpu.milli_per_gpu, pai[0].cpu_milli), (2, 750, 6000));
    assert_eq!(pai[0].duration, Some(Span::from_micros(30_500_000)));
    let events = "600,,7,0,,0,u,2,9,0.5,0.25,0,0\n700,,7,0,3,1,u,2,9,0.5,0.25,0,0\n900,,7,0,3,2,u,2,9,0.5,0.25,0,0\n\
                  900,,7,0,,0,u,2,9,0.5,0.25,0,0\n1000,,7,0,4,1,u,2,9,0.5,0.25,0,0\n1500,,7,0,4,4,u,2,9,0.5,0.25,0,0\n";
    let google = text("google-2011", events).expect("reads");
    assert_eq!(google.len(), 1);
    assert_eq!((google[0].duration, google[0].outcome), (Some(Span::from_micros(500)), Some(Outcome::Succeeded)));
    assert_eq!((google[0].cpu_milli, google[0].priority), (32_000, Some(9)));
    let batsim = r#"{"jobs":[{"id":"x","subtime":1.5,"walltime":-1,"res":4,"profile":"s"}],
        "profiles":{"d":{"type":"delay","delay":2.5},"s":{"type":"composed","seq":["d","d"],"repeat":3}}}"#;
    let batsim = text("batsim", batsim).expect("reads");
    assert_eq!((batsim[0].duration, batsim[0].time_limit, batsim[0].n), (Some(Span::from_secs(15)), None, 4));
    let shockwave = text("shockwave", "R\tc\tw\ts\t1\t10\t4\tgns\t1\t-1\t100\t5\n").expect("reads");
    assert_eq!((shockwave[0].n, shockwave[0].duration), (4, Some(Span::from_secs(100))));
    let pod = pods::pod(&pai[0], 1);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"][pods::GPU_MILLI], "1500");
}

#[test]
fn the_public_files_are_read_whole() {
    let rows = [
        ("fgd/csv/openb_pod_list_default.csv", "alibaba-gpu-2023", 8152),
        ("fgd/csv/openb_pod_list_cpu250.csv", "alibaba-gpu-2023", 9420),
        ("fgd/csv/openb_pod_list_gpuspec33.csv", "alibaba-gpu-2023", 8152),
        ("fgd/csv/openb_pod_list_multigpu50.csv", "alibaba-gpu-2023", 9061),
        ("azure-llm/AzureLLMInferenceTrace_code.csv", "azure-llm", 8819),
        ("azure-llm/AzureLLMInferenceTrace_conv.csv", "azure-llm", 19366),
        ("shockwave/120_jobs_dynamic.trace", "shockwave", 120),
        ("tiresias/60_job.csv", "tiresias", 60),
        ("tiresias/tf_job.csv", "tiresias", 2),
        ("omega/example-init-cluster-state.log", "omega", 3),
        ("batsim/test_batsim_paper_workload_seed1.json", "batsim", 800),
        ("batsim/example_workload_hpc_seed1_jobs250.json", "batsim", 250),
        ("batsim/test_various_profile_types.json", "batsim", 11),
        ("accasim-swf/workload.swf", "swf", 25),
        ("opendc-samples/swf_trace.swf", "swf", 0),
        ("opendc-samples/gwf_trace.gwf", "gwf", 0),
        ("opendc-samples/azure_trace_vmtable_vmtable.csv.gz", "azure-vm", 0),
    ];
    for (file, name, n) in rows {
        let Some(input) = shared(file) else { continue };
        let trace = open(input);
        assert_eq!(trace.format().name, name, "{file}");
        println!("{file}: {:?}", trace.report());
        assert!(n == 0 || trace.report().arrivals == n, "{file}: {:?}", trace.report());
        assert_eq!(all(&trace).len() as u64, trace.report().arrivals, "{file}");
    }
    for (file, n, gpus) in
        [("fgd/csv/openb_node_list_all_node.csv", 1523, 6212), ("fgd/csv/openb_node_list_gpu_node.csv", 1213, 6212)]
    {
        let Some(input) = shared(file) else { continue };
        let nodes = read_nodes(&input, None).expect("reads");
        assert_eq!(nodes.len(), n, "{file}");
        assert_eq!(nodes.iter().map(|node| node.gpu_count).sum::<u32>(), gpus, "{file}");
    }
}
