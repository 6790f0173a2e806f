"""What each team runs: one function a team, in the order of the story."""

from costlab.sources.synthetic.cast import Container
from costlab.sources.synthetic.casting import Casting, Place, Template
from costlab.sources.synthetic.days import Calendar
from costlab.sources.synthetic.machines import Machines
from costlab.sources.synthetic.shapes import bursts, daily, epochs, leak, office, phases, steady

HOUR_S = 3600
LEAK_PERIOD_S = 41 * HOUR_S


def nlp(casting: Casting, calendar: Calendar, place: Machines) -> None:
    """Inference with a day curve, shared T4s, and from four days before the end a pre-training run on 8 GPUs."""
    chat = Container(
        "vllm", daily(1.2, 5.5), steady(41), daily(0.08, 0.72), 8, 64, 8, 64, gpus=1, gpu_memory_mib=70_200
    )
    casting.deployment(
        Template("nlp", "chat-api", (chat,), "nlp"),
        [Place(place.a100_1, (device,)) for device in (0, 1, 2)],
        calendar.beginning_s,
        [calendar.at(-9, "10:05")],
    )
    embed = Container(
        "tei", daily(0.4, 2.1), steady(5.5), daily(0.05, 0.5), 3, 8, 4, 8, gpus=1, gpu_memory_mib=3_300
    )
    casting.deployment(
        Template("nlp", "embedder", (embed,), "nlp"),
        [Place(place.t4, (0,)), Place(place.t4, (1,))],
        calendar.beginning_s,
    )
    tokenizer = Container("app", daily(0.05, 0.6), steady(0.7), cpu_request=1, memory_request_gib=2)
    casting.deployment(
        Template("nlp", "tokenizer-api", (tokenizer,), "nlp"),
        [Place(place.cpu[0]), Place(place.cpu[3])],
        calendar.beginning_s,
    )
    trainer = Container(
        "pytorch", epochs(68, 12), epochs(705, 690), epochs(0.93, 0.06), 88, 960, 90, 1000, gpus=8,
        gpu_memory_mib=76_400,
    )  # fmt: skip
    casting.job(
        Template(
            "nlp",
            "llm-pretrain",
            (trainer,),
            "nlp",
            {"label_experiment": "llm-7b-v3"},
            claims=("checkpoints",),
        ),
        [Place(place.a100_3, tuple(range(8)))],
        calendar.at(-3, "09:12"),
        30 * 24 * HOUR_S,
        name="llm-pretrain",
    )


def vision(casting: Casting, calendar: Calendar, place: Machines) -> None:
    """Daily retraining, sweeps over midnight, video inference on shared T4s, a bursting tool, a job without a place."""
    retrain = Container(
        "train",
        epochs(11, 3, 31),
        steady(74),
        epochs(0.78, 0.05, 31),
        16,
        128,
        16,
        128,
        gpus=2,
        gpu_memory_mib=58_000,
    )
    sweep = Container(
        "train", steady(4.5), steady(22), epochs(0.55, 0.1, 12), 8, 64, 8, 64, gpus=1, gpu_memory_mib=33_000
    )
    for day in calendar.days:
        casting.job(
            Template("vision", "detector-train", (retrain,), "vision", claims=("datasets",)),
            [Place(place.a100_2, (4, 5))],
            calendar.at(day, "08:30"),
            6 * HOUR_S,
            keep_s=16 * HOUR_S,
        )
        if not calendar.weekend(day):
            casting.job(
                Template("vision", "segment-sweep", (sweep,), "vision", claims=("datasets",)),
                [Place(place.a100_2, (6,)), Place(place.a100_2, (7,))],
                calendar.at(day, "22:00"),
                5 * HOUR_S,
                name=f"segment-sweep-{calendar.date_of(day):%m%d}",
                keep_s=8 * HOUR_S,
            )
    video = Container(
        "triton", daily(0.8, 3.1), steady(8.4), daily(0.1, 0.45), 4, 12, 6, 12, gpus=1, gpu_memory_mib=4_100
    )
    casting.deployment(
        Template("vision", "video-infer", (video,), "vision"),
        [Place(place.t4, (0,)), Place(place.t4, (1,))],
        calendar.beginning_s,
    )
    labeler = Container("web", bursts(0.12, 2.2, 0.35), steady(0.8), cpu_request=0.5, memory_request_gib=1)
    casting.deployment(
        Template("vision", "labeler-ui", (labeler,), "vision"),
        [Place(place.cpu[1]), Place(place.cpu[2])],
        calendar.beginning_s,
    )
    huge = Container("train", steady(0), steady(0), None, 64, 512, gpus=16)
    casting.job(
        Template("vision", "video-pretrain", (huge,), "vision", claims=("video-cache",)),
        [None],
        calendar.at(-1, "16:20"),
        30 * 24 * HOUR_S,
        name="video-pretrain",
    )


def recsys(casting: Casting, calendar: Calendar, place: Machines) -> None:
    """Over-asked GPUs, a leak that is killed every 41 hours, a Redis made anew, spot work that is lost once."""
    ranker = Container(
        "ranker",
        daily(0.9, 2.4),
        steady(9.2),
        daily(0.03, 0.17),
        12,
        128,
        12,
        128,
        gpus=1,
        gpu_memory_mib=11_800,
    )
    casting.deployment(
        Template("recsys", "ranker", (ranker,)),
        [Place(place.a100_1, (3,)), Place(place.a100_1, (4,))],
        calendar.beginning_s,
    )
    killed_s = calendar.at(0, "15:42")
    feature_api = Container("api", daily(0.2, 0.9), leak(1.1, 0.163), None, 1, 4, 2, 8)
    casting.deployment(
        Template(
            "recsys", "feature-api", (feature_api,),
            restarts_s=tuple(range(killed_s - 40 * LEAK_PERIOD_S, casting.end_s, LEAK_PERIOD_S)),
        ),
        [Place(place.cpu[1]), Place(place.cpu[2])],
        calendar.beginning_s,
    )  # fmt: skip
    redis = Container("redis", daily(0.1, 0.5), steady(6.3), None, 1, 16, memory_limit_gib=16)
    casting.stateful_set(
        Template("recsys", "redis", (redis,), claims=("data-{pod}",)),
        [Place(place.cpu[2])],
        calendar.beginning_s,
        [calendar.at(-12, "04:30"), calendar.at(0, "10:20")],
    )
    backfill = Container(
        "spark", phases(2, 7.4, 7.1, 3), phases(6, 18, 19, 9), None, 8, 24, memory_limit_gib=24
    )
    template = Template("recsys", "feature-backfill", (backfill,))
    for day, spot in place.spot_afternoon.items():
        name = f"feature-backfill-{calendar.date_of(day):%m%d}"
        start_s = calendar.at(day, "13:02")
        casting.job(template, [Place(spot), Place(spot)], start_s, 4 * HOUR_S, name=name, keep_s=3 * HOUR_S)
    again = f"feature-backfill-{calendar.date_of(0):%m%d}"
    casting.pod(
        template, f"{again}-{casting.suffix(5, again, 'again')}", Place(place.cpu[2]),
        calendar.at(0, "16:52"), calendar.at(0, "18:31"), ("Job", again), keep_s=HOUR_S,
    )  # fmt: skip


def data(casting: Casting, calendar: Calendar, place: Machines) -> None:
    """A nightly ETL on spot, retried once; a sync every two hours; Kafka; a runner in a sandbox with overhead."""
    etl = Container(
        "spark", phases(3, 7.6, 7.8, 7.2, 2), phases(5, 14, 15, 15, 6), None, 8, 16, memory_limit_gib=20
    )
    sync = Container("sync", phases(0.2, 0.9), steady(0.5), None, 0.5, 1)
    for day in calendar.days:
        spot = place.spot_night[day]
        # As Airflow writes a run's id into a label: without what none may hold, and with a hash of the whole.
        run_id = f"scheduled__{calendar.date_of(day - 1)}T0105000000-{casting.suffix(9, 'run', str(day))}"
        labels = {"label_dag_id": "nightly_etl", "label_task_id": "transform", "label_run_id": run_id}
        template = Template("data", "nightly-etl", (etl,), "data", labels)
        job = casting.job(
            template,
            [Place(spot), Place(spot)],
            calendar.at(day, "01:05"),
            2 * HOUR_S + 1800,
            keep_s=70 * HOUR_S,
        )
        if day == -6:
            casting.pod(
                template, f"{job}-{casting.suffix(5, job, 'failed')}", Place(spot), calendar.at(day, "01:05"),
                calendar.at(day, "01:43"), ("Job", job), keep_s=70 * HOUR_S, phase="Failed",
            )  # fmt: skip
        for hour in range(0, 24, 2):
            start_s = calendar.at(day, f"{hour}:20")
            node = place.cpu[4 + hour // 2 % 2]
            casting.job(
                Template("data", "hourly-sync", (sync,), "data"), [Place(node)], start_s, 420, keep_s=20_000
            )
    kafka = Container("broker", daily(0.5, 1.8), steady(9.5), None, 2, 12, memory_limit_gib=12)
    casting.stateful_set(
        Template("data", "kafka", (kafka,), "data", claims=("data-{pod}",)),
        [Place(node) for node in place.cpu[:3]],
        calendar.beginning_s,
    )
    runner = Container("runner", bursts(0.3, 1.6, 0.3), steady(2.2), None, 2, 4, 2, 4)
    casting.deployment(
        Template("data", "sandboxed-runner", (runner,), "data", overhead_cpu=0.25, overhead_memory_mib=160),
        [Place(place.cpu[3])],
        calendar.beginning_s,
    )


def platform(casting: Casting, calendar: Calendar, place: Machines) -> None:
    """Airflow, a registry whose init container asks for 4 cores and its app for 1, monitoring, a forgotten shell."""
    born_s = calendar.beginning_s
    registry = (
        Container("registry", daily(0.05, 0.3), steady(0.6), None, 0.5, 1),
        Container("postgres", daily(0.05, 0.2), steady(1.1), None, 0.5, 2, memory_limit_gib=2),
    )
    migrate = Container("migrate", steady(0), steady(0), None, 4, 8)
    casting.deployment(
        Template(
            "platform", "model-registry", registry, "platform", init_containers=(migrate,), claims=("models",)
        ),
        [Place(place.cpu[3])] * 2,
        born_s,
    )
    single = [
        ("platform", "airflow-scheduler", Container("scheduler", steady(0.45), steady(1.6), None, 1, 3), 2),
        ("platform", "airflow-webserver", Container("webserver", daily(0.02, 0.2), steady(1.3), None, 0.5, 2), 1),
        ("platform", "debug-shell", Container("shell", steady(0.0002), steady(0.03)), 4),
        ("monitoring", "grafana", Container("grafana", daily(0.01, 0.1), steady(0.35), None, 0.2, 0.5), 0),
        ("monitoring", "kube-state-metrics", Container("kube-state-metrics", steady(0.02), steady(0.12), None, 0.1, 0.25), 1),
    ]  # fmt: skip
    for namespace, name, container, node in single:
        casting.deployment(
            Template(namespace, name, (container,), "platform"), [Place(place.cpu[node])], born_s
        )
    prometheus = Container("prometheus", daily(0.6, 1.1), steady(15.5), None, 2, 24)
    casting.stateful_set(
        Template("monitoring", "prometheus", (prometheus,), "platform", claims=("data-{pod}",)),
        [Place(place.cpu[0])],
        born_s,
    )


def notebooks(casting: Casting, calendar: Calendar, place: Machines) -> None:
    """Notebooks of several teams, idle at night and over the weekend; one GPU that nobody has ever used."""
    born_s = calendar.beginning_s
    big = Container(
        "notebook",
        office(0.02, 2.6),
        office(11, 21),
        office(0, 0.38, 0.5),
        8,
        64,
        8,
        64,
        gpus=1,
        gpu_memory_mib=24_000,
    )
    shared = Container(
        "notebook",
        office(0.02, 1.1),
        office(3, 6),
        office(0, 0.3, 0.4),
        2,
        16,
        4,
        16,
        gpus=1,
        gpu_memory_mib=2_600,
    )
    plain = Container("notebook", office(0.01, 1.7), office(2, 7))
    idle = Container("cuda", steady(0.001), steady(0.9), steady(0), 4, 32, gpus=1)
    for name, team, container, where in (
        ("jupyter-anna", "vision", big, Place(place.a100_1, (5,))),
        ("jupyter-ben", "nlp", shared, Place(place.t4, (0,))),
        ("jupyter-chloe", "recsys", shared, Place(place.t4, (1,))),
        ("jupyter-dev", "data", plain, Place(place.cpu[5])),
    ):
        casting.bare(Template("notebooks", name, (container,), team, claims=("home-{pod}",)), where, born_s)
    casting.bare(Template("scratch", "gpu-test", (idle,)), Place(place.a100_1, (6,)), born_s)


def storage(casting: Casting, calendar: Calendar, _: Machines) -> None:
    """Volumes of one pod, of several at once, of none yet and of none any more; one that waits, and one that grows."""
    born_s = calendar.beginning_s
    for namespace, name, storage_class, gib in (
        ("data", "data-kafka-0", "fast-ssd", 500),
        ("data", "data-kafka-1", "fast-ssd", 500),
        ("data", "data-kafka-2", "fast-ssd", 500),
        ("monitoring", "data-prometheus-0", "standard", 300),
        ("platform", "models", "shared", 1500),
        ("vision", "datasets", "shared", 12_000),
        ("scratch", "old-results", "standard", 800),
        *(("notebooks", f"home-jupyter-{who}", "standard", 50) for who in ("anna", "ben", "chloe", "dev")),
    ):
        casting.claim(namespace, name, storage_class, gib, born_s)
    # Checkpoints are never thrown away: the claim is enlarged by 100 GiB every third day.
    enlarged = [(calendar.at(day, "10:20"), 4000 + 100 * n) for n, day in enumerate(range(-29, 1, 3), 1)]
    casting.claim("nlp", "checkpoints", "fast-ssd", 4000, born_s, enlarged)
    casting.claim("recsys", "data-redis-0", "fast-ssd", 40, born_s, [(calendar.at(0, "11:10"), 64)])
    casting.claim("vision", "video-cache", "fast-ssd", 2000, calendar.at(-1, "16:20"), pending=True)


def system(casting: Casting, calendar: Calendar, place: Machines) -> None:
    """What every cluster has: DNS, kube-proxy without a memory request, the GPU exporter."""
    dns = Container("coredns", steady(0.03), steady(0.04), None, 0.1, 70 / 1024, memory_limit_gib=170 / 1024)
    casting.deployment(
        Template("kube-system", "coredns", (dns,)),
        [Place(node) for node in place.cpu[:2]],
        calendar.beginning_s,
    )
    server = Container("metrics-server", steady(0.02), steady(0.1), None, 0.1, 200 / 1024)
    casting.deployment(
        Template("kube-system", "metrics-server", (server,)), [Place(place.cpu[0])], calendar.beginning_s
    )
    proxy = Container("kube-proxy", steady(0.004), steady(0.03), cpu_request=0.1)
    casting.daemon_set(Template("kube-system", "kube-proxy", (proxy,), host_network=True), place.all)
    dcgm = Container("dcgm-exporter", steady(0.03), steady(0.25), None, 0.1, 0.25)
    gpu_nodes = (place.a100_1, place.a100_2, place.a100_3, place.t4)
    casting.daemon_set(Template("gpu-operator", "dcgm-exporter", (dcgm,), "platform"), gpu_nodes)
