"""confluent-kafka's ShareConsumer: python share_worker.py HOST:PORT GROUP TOPIC RECORDS WORKERS. As ShareWorker.java."""
import sys
import threading
import time

from confluent_kafka import AcknowledgeType, ShareConsumer

broker, group, topic = sys.argv[1:4]
records, workers = int(sys.argv[4]), int(sys.argv[5])
finished = set()
begun = threading.Barrier(workers)
failed = []
printing = threading.Lock()
KINDS = AcknowledgeType


def judge(value, count):
    if value.startswith("release") and count == 1:
        return KINDS.RELEASE
    return KINDS.REJECT if value.startswith("reject") else KINDS.ACCEPT


def work(name):
    consumer = ShareConsumer({
        "bootstrap.servers": broker, "group.id": group, "client.id": name, "max.poll.records": 10,
        "share.acknowledgement.mode": "explicit",
    })
    consumer.subscribe([topic])
    first, until = True, time.monotonic() + 60
    while len(finished) < records:
        if time.monotonic() > until:
            raise TimeoutError(f"finished: {len(finished)}")
        messages = consumer.poll(0.5)
        if first and messages:
            first = False
            begun.wait(60)
        for message in messages:
            if message.error():
                raise RuntimeError(message.error())
            value, count = message.value().decode(), message.delivery_count()
            kind = judge(value, count)
            consumer.acknowledge(message, kind)
            with printing:
                print(name, message.offset(), count, value, kind.name.lower(), flush=True)
            if kind != KINDS.RELEASE:
                finished.add(message.offset())
        for partition, error in consumer.commit_sync(10).items():
            if error is not None:
                raise RuntimeError(f"{partition}: {error}")
    consumer.close()


def guarded(name):
    try:
        work(name)
    except BaseException as error:
        failed.append(repr(error))
        begun.abort()


threads = [threading.Thread(target=guarded, args=(f"worker-{i}",)) for i in range(workers)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failed:
    sys.exit("\n".join(failed))
