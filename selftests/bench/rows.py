# SPDX-License-Identifier: GPL-2.0-only
"""What the bench measures, and what each figure is to be compared with.

JOBS: programs to run in a guest; each prints lines "NAME VALUE". ROWS: the
lines of the table, made of figures "job", or "job/name" where a job prints more
than "ns".
"""

JOBS = {}
ROWS = []


def job(name, *argv, beam=False):
    """beam: it needs the BEAM node in the far namespace"""
    JOBS[name] = {'argv': [str(a) for a in argv], 'beam': beam}


def message(name, peer, what, count, size=64, beam=False, **options):
    more = [f'--{k}={v}' for k, v in options.items()]
    if beam:
        more.append('--beam=1')
    job(name, 'message', f'--size={size}', f'--count={count}', *more, peer, what, beam=beam)


def row(work, ours, *goals, runs='icount wall', beside=(), unit=None):
    """goals: (factor, figure): ours is at most factor times that

    unit: of what is no time, and no number of instructions
    """
    ROWS.append({'work': work, 'ours': ours, 'goals': [list(g) for g in goals],
                 'runs': runs.split(), 'beside': list(beside), 'unit': unit})


def messages(name):
    """How many messages, or round trips, a job of "message" is"""
    options = dict(a[2:].split('=') for a in JOBS[name]['argv'] if a.startswith('--'))
    return int(options.get('count', 2000)) * int(options.get('pairs', 1))


def jobs_of(line, run):
    """What a row needs in a run"""
    if run not in line['runs']:
        return []
    figures = [line['ours'], *(g[-1] for g in line['goals']), *line['beside']]
    return [f.split('/')[0] for f in figures if isinstance(f, str)]


for peer in 'unix', 'tipc', 'tcp', 'ei', 'erldist', 'erldist_tcp':
    message(f'{peer}_trip', peer, 'roundtrip', 2000)
for peer in 'unix', 'tipc', 'erldist':
    message(f'{peer}_stream', peer, 'stream', 4096)
for size in 64, 1024, 16384:
    for peer in 'tcp', 'ei', 'erldist_tcp':
        message(f'{peer}_stream_{size}', peer, 'stream', 4096 if size < 10000 else 1024, size)
for peer in 'tcp', 'erldist_tcp':
    message(f'{peer}_crowd', peer, 'stream', 64, pairs=100, batch=32, warm=32)
for peer in 'ei', 'erldist_tcp':
    for what in 'roundtrip', 'stream', 'back':
        message(f'{peer}_beam_{what}', peer, what, 1024, beam=True)
for what in 'roundtrip', 'stream', 'call':
    job(f'beam_{what}', 'beam', what, 64, 1024, 128, 256, beam=True)
job('erldist_call', 'call', '--count=1024', beam=True)
job('beam_fan', 'beam', 'fan', 64, 3, 1000, 0, beam=True)
job('erldist_fan', 'many', '--count=3', 'beam', beam=True)
job('erldist_told', 'many', '--count=3', 'local')
job('erldist_death', 'many', '--count=3', 'death')
for peer in 'tcp', 'erldist_tcp':
    message(f'{peer}_1m', peer, 'stream', 64, 1 << 20, batch=16, warm=16)
    message(f'{peer}_64m', peer, 'stream', 8, 64 << 20, batch=8, warm=8)
for n in 10, 1000, 100000:
    message(f'processes_{n}', 'erldist', 'roundtrip', 2000, processes=n)
for n in 1, 100, 1000:
    message(f'peers_{n}', 'erldist_tcp', 'roundtrip', 2000, peers=n)
for what in 'process', 'unix', 'peer', 'tcp':
    job(f'memory_{what}', 'grow', '--count=' + ('10000' if what in ('process', 'unix') else '1000'),
        'memory', what)
for n in 250, 1000:
    job(f'connect_{n}', 'grow', f'--count={n}', 'connect', 'erldist')
job('connect_ei', 'grow', '--count=250', 'connect', 'ei')
job('idle_1000', 'grow', '--count=1000', 'idle')
job('beside_bulk', 'beside', '--count=500', 'erldist', 'bulk')
job('beside_bulk_ei', 'beside', '--count=10', 'ei', 'bulk')
job('beside_bulk_tcp', 'beside', '--count=500', 'tcp', 'bulk')
job('beside_bulk_fair', 'beside', '--count=500', 'erldist', 'bulk', 'fair')
job('beside_spin_fair', 'beside', '--count=2000', 'tcp', 'spin', 'fair')
job('beside_casts', 'beside', '--count=500', 'erldist', 'casts')

row('round trip, one node', 'erldist_trip', (1.0, 'tipc_trip'), beside=['unix_trip'])
row('round trip, two nodes over TCP', 'erldist_tcp_trip', (1.15, 'tcp_trip'), (1.0, 'ei_trip'))
row('stream, one node', 'erldist_stream', (1.25, 'unix_stream'), beside=['tipc_stream'])
row('stream over TCP, 64 B', 'erldist_tcp_stream_64', (0.4, 'tcp_stream_64'),
    beside=['ei_stream_64'])
row('stream over TCP, 64 B, by wall', 'erldist_tcp_stream_64', (0.5, 'ei_stream_64'), runs='wall')
row('stream over TCP, 1 KiB', 'erldist_tcp_stream_1024', (0.7, 'tcp_stream_1024'),
    beside=['ei_stream_1024'])
row('stream over TCP, 16 KiB', 'erldist_tcp_stream_16384', (1.1, 'tcp_stream_16384'),
    beside=['ei_stream_16384'])
row('100 senders to 100 receivers over one connection', 'erldist_tcp_crowd', (0.6, 'tcp_crowd'))
row('round trip, native and BEAM', 'erldist_tcp_beam_roundtrip', (1.0, 'ei_beam_roundtrip'),
    (1.0, 'beam_roundtrip'))
row('stream, native to BEAM', 'erldist_tcp_beam_stream', (1.0, 'ei_beam_stream'),
    beside=['beam_stream'])
row('stream, BEAM to native', 'erldist_tcp_beam_back', (1.0, 'ei_beam_back'),
    beside=['beam_stream'])
row('1 MiB messages over TCP', 'erldist_tcp_1m', (1 / 0.7, 'tcp_1m'), runs='wall')
row('8 x 64 MiB over TCP', 'erldist_tcp_64m', (1 / 0.6, 'tcp_64m'), runs='wall')
row('gen_server:call from BEAM', 'erldist_call', (1.0, 'beam_call'))
row('one message to 1,000 receivers, from BEAM', 'erldist_fan', (1.0, 'beam_fan'))
row('death of a process with 1,000 monitors, each', 'erldist_death', (2.0, 'erldist_told'))
row('round trip with 100,000 processes on the node', 'processes_100000', (1.2, 'processes_10'),
    runs='icount', beside=['processes_1000'])
row('round trip over TCP with 1,000 peers up', 'peers_1000', (1.2, 'peers_1'), runs='icount',
    beside=['peers_100'])
row('64 B round trips beside 64 MiB messages', 'beside_bulk/p99', (1.0, 'beside_bulk/allowed'),
    runs='wall', unit='us', beside=['beside_bulk/p50', 'beside_bulk/idle', 'beside_bulk_ei/p99',
                                         'beside_bulk_tcp/p99'])
row('the same where no task comes first', 'beside_bulk_fair/p99', runs='wall', unit='us',
    beside=['beside_spin_fair/p99'])
row('64 B round trips beside 1,000 casts to a process asleep', 'beside_casts/p99',
    runs='wall', unit='us', beside=['beside_casts/idle', 'beside_casts/lost'])
row('kernel memory of a process', 'memory_process/bytes', (1.3, 'memory_unix/bytes'), runs='icount',
    unit='bytes')
row('kernel memory of an idle peer with its TCP connection', 'memory_peer/bytes',
    (1.0, 'memory_tcp/more'), runs='icount', unit='bytes', beside=['memory_tcp/bytes'])
row('connecting 1,000 peers, each', 'connect_1000', (1.2, 'connect_250'), runs='icount',
    beside=['connect_ei'])
row('closing 1,000 peers, each', 'connect_1000/close', (1.2, 'connect_250/close'), runs='icount')
row('1,000 idle peers, a second', 'idle_1000', runs='icount')
