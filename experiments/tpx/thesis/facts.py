"""Facts from the thesis, typed in by hand."""

QUIET = ['read_msr', 'workqueue_execute_start', 'cpuhp_exit', 'cpuhp_enter', 'cpuhp_multi_enter']
THESIS = {
    'idle': (QUIET, 'cpuhp'),
    'build': (QUIET, 'cpuhp'),
    'apache': (
        [
            'mm_compaction_isolate_migratepages',
            'mm_compaction_isolate_freepages',
            'mm_compaction_migratepages',
            'pseudo_lock_12',
            'mm_page_alloc_extfrag',
        ],
        'compaction',
    ),
}
THESIS['apache-long'] = THESIS['apache']
# The row of its log, and the number of tracepoints that it monitored.
ROW_TPID, ROW_GID, ROW_NAME, MONITORED = 1213, 100, 'tick_stop', 1256
EXCLUDED_GROUPS = ['ftrace', 'syscalls', 'raw_syscalls']
EXCLUDED = [
    'irq_work_entry',
    'irq_work_exit',
    'write_msr',
    'cpu_idle',
    'rcu_utilization',
    'sched_switch',
    'sched_stat_runtime',
    'sched_waking',
    'sched_wakeup',
    'rseq_update',
    'x86_fpu_regs_deactivated',
    'hrtimer_cancel',
    'hrtimer_start',
    'tlb_flush',
    'tick_stop',
]
IN_SAMPLE_LOG = ['tick_stop', 'hrtimer_cancel', 'hrtimer_start']

# The situations that are captured here.
SITUATIONS = ['idle', 'build', 'apache', 'apache-long']
TITLES = {
    'idle': 'Idle',
    'build': 'Kernel build',
    'apache': 'Apache under one run of `ab -n 100 -c 100`',
    'apache-long': 'Apache under continuous `ab`',
}
PICTURES = ['idle', 'build', 'apache']
