"""SASL and the rights of a token: python sasl.py LIBRARY HOST:PORT MECHANISM PREFIX USER TOKEN WRONG. The token may write and read
topic PREFIX-open in group PREFIX-open, only read PREFIX-read and only write PREFIX-write; WRONG is no token of that user.
Prints what became of each attempt: the value that was read, or the name of the client's own error."""
import asyncio
import logging
import re
import sys
import time

library, broker, mechanism, prefix, user, token, wrong = sys.argv[1:]
PATIENCE_S = 20


class Confluent:
    @staticmethod
    def settings(password):
        """Authentication fails in the background: librdkafka tells it to `error_cb` alone."""
        failures = []

        def told(error):
            # What it says before anybody is connected is of this connection's end, not of its cause.
            if error.name() != "_ALL_BROKERS_DOWN":
                failures.append(error)

        return failures, {
            "bootstrap.servers": broker, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism,
            "sasl.username": user, "sasl.password": password, "error_cb": told,
        }

    @staticmethod
    def until(ready, failures):
        from confluent_kafka import KafkaException

        deadline = time.monotonic() + PATIENCE_S
        while not (result := ready()):
            if failures:
                raise KafkaException(failures[0])
            assert time.monotonic() < deadline, "nothing came"
        return result

    def write(self, topic, value, password):
        from confluent_kafka import Producer

        failures, settings = self.settings(password)
        producer = Producer({**settings, "linger.ms": 0})
        reports = []
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else reports.append(1))
        self.until(lambda: producer.poll(0.1) and reports, failures)

    def read(self, topic, group, password):
        from confluent_kafka import Consumer, KafkaException

        failures, settings = self.settings(password)
        consumer = Consumer({**settings, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
        consumer.subscribe([topic])
        try:
            message = self.until(lambda: consumer.poll(0.1), failures)
            if message.error():
                raise KafkaException(message.error())
            consumer.commit(message, asynchronous=False)
            return message.value().decode()
        finally:
            consumer.close()

    @staticmethod
    def name(error):
        (cause,) = error.args
        return cause.name() + (", UNSUPPORTED_SASL_MECHANISM" if "Unsupported SASL mechanism" in cause.str() else "")


class KafkaPython:
    """Why it cannot connect it writes to its log; what it throws says only that it cannot."""

    def __init__(self):
        self.logged = []
        handler = logging.Handler()
        handler.emit = lambda record: self.logged.append(record.getMessage())
        logging.getLogger().addHandler(handler)

    @staticmethod
    def settings(password):
        return {
            "bootstrap_servers": broker, "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism,
            "sasl_plain_username": user, "sasl_plain_password": password,
        }

    def write(self, topic, value, password):
        from kafka import KafkaProducer

        producer = KafkaProducer(**self.settings(password), bootstrap_timeout_ms=3000)
        try:
            producer.send(topic, value.encode()).get(PATIENCE_S)
        finally:
            producer.close(0)

    def read(self, topic, group, password):
        from kafka import KafkaConsumer

        consumer = KafkaConsumer(
            topic, **self.settings(password), group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
            consumer_timeout_ms=PATIENCE_S * 1000,
        )
        try:
            record = next(consumer)
            consumer.commit()
            return record.value.decode()
        finally:
            consumer.close(autocommit=False)

    def name(self, error):
        causes = [found for line in self.logged if (found := re.search(r"\[Error \d+\] (\w+)", line))]
        self.logged.clear()
        name = type(error).__name__
        return f"{name}, {causes[-1][1]}" if name in ("KafkaTimeoutError", "KafkaConnectionError") and causes else name


class Aio(KafkaPython):
    def write(self, topic, value, password):
        asyncio.run(self.writes(topic, value, password))

    def read(self, topic, group, password):
        return asyncio.run(self.reads(topic, group, password))

    async def writes(self, topic, value, password):
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(**self.settings(password))
        try:
            await producer.start()
            await asyncio.wait_for(producer.send_and_wait(topic, value.encode()), PATIENCE_S)
        finally:
            await producer.stop()

    async def reads(self, topic, group, password):
        from aiokafka import AIOKafkaConsumer

        consumer = AIOKafkaConsumer(
            topic, **self.settings(password), group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        )
        try:
            await consumer.start()
            record = await asyncio.wait_for(consumer.getone(), PATIENCE_S)
            await consumer.commit()
            return record.value.decode()
        finally:
            await consumer.stop()


client = {"confluent-kafka": Confluent, "kafka-python": KafkaPython, "aiokafka": Aio}[library]()


def attempt(what, action):
    try:
        said = action()
    except Exception as error:
        said = client.name(error)
    print(f"{what}:", said, flush=True)
    return said


def writes_and_reads():
    client.write(f"{prefix}-open", "value", token)
    return client.read(f"{prefix}-open", f"{prefix}-open", token)


if attempt("the token", writes_and_reads) == "value":
    attempt("a wrong token", lambda: client.write(f"{prefix}-open", "never", wrong))
    attempt("no right to write", lambda: client.write(f"{prefix}-read", "never", token))
    attempt("no right to read", lambda: client.read(f"{prefix}-write", f"{prefix}-open", token))
    attempt("no right to the group", lambda: client.read(f"{prefix}-open", f"{prefix}-shut", token))
