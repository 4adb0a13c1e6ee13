"""A member of a consumer group: python member.py LIBRARY HOST:PORT GROUP TOPIC. Prints "partition offset value" of each record,
commits after it, and leaves the group at SIGTERM."""
import asyncio
import signal
import sys

library, broker, group, topic = sys.argv[1:]
stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)


def show(partition, offset, value):
    print(partition, offset, value.decode(), flush=True)


def confluent(protocol):
    from confluent_kafka import Consumer

    settings = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000} if protocol == "classic" else {}
    consumer = Consumer({
        "bootstrap.servers": broker, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, **settings,
    })
    consumer.subscribe([topic])
    while not stopping:
        message = consumer.poll(0.2)
        if message is None or message.error():
            continue
        show(message.partition(), message.offset(), message.value())
        try:
            consumer.commit(message, asynchronous=False)
        except Exception as error:
            print(error, file=sys.stderr)
    consumer.close()


def kafka_python():
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        bootstrap_servers=broker, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6000, heartbeat_interval_ms=1000, max_poll_interval_ms=20_000,
    )
    consumer.subscribe([topic])
    while not stopping:
        for records in consumer.poll(200, max_records=1).values():
            for record in records:
                show(record.partition, record.offset, record.value)
            try:
                consumer.commit()
            except Exception as error:
                print(error, file=sys.stderr)
    consumer.close(autocommit=False)


async def aio():
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6000, heartbeat_interval_ms=1000, metadata_max_age_ms=5000,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    await consumer.start()
    while not stopping:
        for records in (await consumer.getmany(timeout_ms=200, max_records=1)).values():
            for record in records:
                show(record.partition, record.offset, record.value)
            try:
                await consumer.commit()
            except Exception as error:
                print(error, file=sys.stderr)
    await consumer.stop()


if library == "aiokafka":
    asyncio.run(aio())
elif library == "kafka-python":
    kafka_python()
else:
    confluent(library)
