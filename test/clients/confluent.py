"""confluent-kafka (librdkafka): python confluent.py HOST:PORT. Ends with an error where something is not as it should be."""
import sys
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

broker = {"bootstrap.servers": sys.argv[1]}


def consume(topic, offset, count):
    consumer = Consumer({**broker, "group.id": "unused", "enable.auto.commit": False, "check.crcs": True})
    consumer.assign([TopicPartition(topic, 0, offset)])
    records = []
    while len(records) < count:
        message = consumer.poll(20)
        assert message is not None, f"{topic}: {len(records)} of {count} came"
        assert message.error() is None, message.error()
        records.append((message.offset(), message.key(), message.value(), message.headers()))
    consumer.close()
    return records


def administers_topics():
    admin = AdminClient(broker)
    for future in admin.create_topics([NewTopic("c-managed", 3, config={"retention.ms": "3600000"})]).values():
        future.result(20)
    for future in admin.create_partitions([NewPartitions("c-managed", 4)]).values():
        future.result(20)
    assert len(admin.list_topics("c-managed", 20).topics["c-managed"].partitions) == 4
    resource = ConfigResource("TOPIC", "c-managed")
    (config,) = admin.describe_configs([resource]).values()
    assert config.result(20)["retention.ms"].value == "3600000"
    for future in admin.delete_records([TopicPartition("c-managed", 0, 0)]).values():
        assert future.result(20).low_watermark == 0
    for future in admin.delete_topics(["c-managed"]).values():
        future.result(20)
    try:
        for future in admin.create_topics([NewTopic("no spaces", 1)]).values():
            future.result(20)
        raise AssertionError("an illegal name was taken")
    except KafkaException as error:
        assert error.args[0].name() == "TOPIC_EXCEPTION", error


def writes_with_every_codec_and_acks():
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        for acks in (0, 1, -1):
            topic = f"c-{codec}-{acks + 1}"
            failures = []
            producer = Producer({**broker, "compression.type": codec, "acks": acks, "linger.ms": 20})
            for i in range(20):
                producer.produce(
                    topic, str(i).encode() * 200, key=str(i), partition=0, headers=[("h", b"v"), ("n", None)],
                    on_delivery=lambda error, _: failures.append(error) if error else None,
                )
            assert producer.flush(20) == 0 and failures == [], failures
            records = consume(topic, 0, 20)
            assert records == [(i, str(i).encode(), str(i).encode() * 200, [("h", b"v"), ("n", None)]) for i in range(20)]


def idempotent_and_offsets():
    producer = Producer({**broker, "enable.idempotence": True, "linger.ms": 0, "batch.num.messages": 7})
    for i in range(500):
        producer.produce("c-once", str(i), partition=0, timestamp=1_700_000_000_000 + i * 1000)
    assert producer.flush(20) == 0
    assert [int(value) for _, _, value, _ in consume("c-once", 0, 500)] == list(range(500))
    assert consume("c-once", 498, 2)[0][0] == 498
    consumer = Consumer({**broker, "group.id": "unused"})
    assert consumer.get_watermark_offsets(TopicPartition("c-once", 0), 20) == (0, 500)
    (found,) = consumer.offsets_for_times([TopicPartition("c-once", 0, 1_700_000_123_456)], 20)
    assert found.offset == 124, found
    consumer.assign([TopicPartition("c-once", 0, 0)])
    consumer.poll(20)
    consumer.seek(TopicPartition("c-once", 0, 300))
    offset = -1
    while offset < 300:
        offset = consumer.poll(20).offset()
    assert offset == 300
    consumer.close()


for scenario in (administers_topics, writes_with_every_codec_and_acks, idempotent_and_offsets):
    scenario()
    print("ok", scenario.__name__, flush=True)
