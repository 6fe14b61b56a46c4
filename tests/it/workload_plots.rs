//! Plots: the same bytes twice, well-formed for any data. With WAVETANK_PLOTS=DIR they are also written there, to be looked at.

use wavetank::engine::{Span, Time};
use wavetank::report::plot::{
    Cdf, CdfChart, GanttChart, GanttPhase, GanttPod, Layering, LineChart, Series, ValueUnit, cdf_chart, gantt_chart,
    line_chart,
};

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 20
}

fn look(name: &str, svg: &str) {
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
    assert!(!svg.contains("NaN"), "{name}");
    if let Ok(dir) = std::env::var("WAVETANK_PLOTS") {
        std::fs::write(std::path::Path::new(&dir).join(format!("{name}.svg")), svg).expect("writes");
    }
}

fn wave(name: &str, phase: f64, height: f64) -> Series {
    let value = |i: u64| height * (0.5 + 0.4 * (i as f64 / 150.0 + phase).sin()) + (mix(i) % 100) as f64 / 2500.0;
    Series { name: name.into(), points: (0..2000).map(|i| (Time::from_secs(i * 2), value(i))).collect() }
}

fn chart(layering: Layering, unit: ValueUnit, series: Vec<Series>) -> LineChart {
    LineChart {
        title: "Utilisation over time".into(),
        y_label: "share of allocatable".into(),
        unit,
        layering,
        from: Time::ZERO,
        to: Time::from_secs(4000),
        series,
    }
}

#[test]
fn lines_and_stacks() {
    let lines = chart(
        Layering::Lines,
        ValueUnit::Percent,
        vec![wave("cpu", 0.0, 0.9), wave("memory", 1.0, 0.6), wave("nvidia.com/gpu", 2.0, 0.8)],
    );
    assert_eq!(line_chart(&lines), line_chart(&lines));
    look("lines", &line_chart(&lines));
    let many = (0..12).map(|i| wave(&format!("namespace-{i}"), f64::from(i), 20.0 + f64::from(i * i))).collect();
    let stack = chart(Layering::Stacked, ValueUnit::Count, many);
    assert!(line_chart(&stack).contains("5 others"));
    look("stack", &line_chart(&stack));
    let burst = Series {
        name: "pending pods".into(),
        points: (0..400)
            .map(|i| (Time::from_secs(i * 10), if i % 97 < 9 { (mix(i) % 4000) as f64 } else { 3.0 }))
            .collect(),
    };
    let mut pending = chart(Layering::Lines, ValueUnit::Count, vec![burst]);
    pending.title = "Pending pods".into();
    pending.y_label = "pending pods".into();
    look("pending", &line_chart(&pending));
}

#[test]
fn distributions() {
    let values = |scale: u64, n: u64| {
        (0..n)
            .map(|i| Span::from_micros(1 + scale * (1 + mix(i) % 50) * (1 + mix(i + 7) % 50) * (1 + mix(i + 9) % 20)))
            .collect()
    };
    let curves = vec![
        Cdf { name: "default".into(), values: values(900, 5000) },
        Cdf { name: "fgd".into(), values: values(300, 800) },
    ];
    let chart = CdfChart { title: "Scheduling latency".into(), x_label: "from creation to binding".into(), curves };
    assert_eq!(cdf_chart(&chart), cdf_chart(&chart));
    look("cdf_log", &cdf_chart(&chart));
    let startup = (0..40).map(|i| Span::from_millis(2000 + mix(i) % 7000)).collect();
    let chart = CdfChart {
        title: "Startup".into(),
        x_label: "from binding to running".into(),
        curves: vec![Cdf { name: "web".into(), values: startup }],
    };
    look("cdf_linear", &cdf_chart(&chart));
}

#[test]
fn pods_on_nodes() {
    let nodes: Vec<String> = (0..6).map(|i| format!("general-{i}")).collect();
    let mut pods: Vec<GanttPod> = (0..40u64)
        .map(|i| {
            let at = |s: u64| Time::from_secs(s);
            let create = mix(i) % 400;
            let (bound, up) = (create + mix(i + 1) % 20, create + 22 + mix(i + 2) % 15);
            let stop = up + 40 + mix(i + 3) % 200;
            GanttPod {
                name: format!("web-7d4b9c-{:04x}", mix(i) % 65536),
                node: Some(nodes[(mix(i + 4) % 6) as usize].clone()),
                phases: vec![
                    (at(create), at(bound), GanttPhase::Pending),
                    (at(bound), at(up), GanttPhase::Starting),
                    (at(up), at(stop), GanttPhase::Running),
                    (at(stop), at(stop + 8), GanttPhase::Terminating),
                ],
            }
        })
        .collect();
    pods.push(GanttPod {
        name: "huge-0".into(),
        node: None,
        phases: vec![(Time::from_secs(60), Time::from_secs(600), GanttPhase::Pending)],
    });
    let chart = GanttChart {
        title: "Pods on their nodes".into(),
        from: Time::ZERO,
        to: Time::from_secs(600),
        nodes,
        pods,
        n_more_nodes: 0,
        n_more_pods: 0,
    };
    assert_eq!(gantt_chart(&chart), gantt_chart(&chart));
    look("gantt", &gantt_chart(&chart));
}

#[test]
fn empty_and_odd_data_still_make_a_plot() {
    for layering in [Layering::Lines, Layering::Stacked] {
        look("empty", &line_chart(&chart(layering, ValueUnit::Percent, vec![])));
        let odd = |points: Vec<(Time, f64)>| Series { name: "<&\">".into(), points };
        let series = vec![
            odd(vec![]),
            odd(vec![(Time::ZERO, f64::NAN), (Time::from_secs(1), f64::INFINITY)]),
            odd(vec![(Time::NEVER, 1.0)]),
            odd(vec![(Time::from_secs(5), -3.0), (Time::from_secs(5), 1e300)]),
        ];
        let mut odd = chart(layering, ValueUnit::Count, series);
        look("odd", &line_chart(&odd));
        odd.to = Time::ZERO;
        look("no_width", &line_chart(&odd));
        odd.to = Time::NEVER;
        look("forever", &line_chart(&odd));
    }
    let chart = |curves: Vec<Cdf>| CdfChart { title: String::new(), x_label: String::new(), curves };
    look("cdf_empty", &cdf_chart(&chart(vec![])));
    for values in [vec![], vec![Span::ZERO], vec![Span::MAX, Span::ZERO], vec![Span::from_secs(1); 3]] {
        look("cdf_odd", &cdf_chart(&chart(vec![Cdf { name: "x".into(), values }])));
    }
    let gantt = |pods: Vec<GanttPod>, to: Time| GanttChart {
        title: String::new(),
        from: Time::ZERO,
        to,
        nodes: vec![],
        pods,
        n_more_nodes: 0,
        n_more_pods: 0,
    };
    look("gantt_empty", &gantt_chart(&gantt(vec![], Time::ZERO)));
    let pod =
        GanttPod { name: "p".into(), node: None, phases: vec![(Time::from_secs(9), Time::NEVER, GanttPhase::Pending)] };
    look(
        "gantt_odd",
        &gantt_chart(&gantt(vec![pod, GanttPod { name: "q".into(), node: None, phases: vec![] }], Time::from_secs(10))),
    );
}
