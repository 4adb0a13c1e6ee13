import static org.apache.kafka.clients.consumer.AcknowledgeType.ACCEPT;
import static org.apache.kafka.clients.consumer.AcknowledgeType.REJECT;
import static org.apache.kafka.clients.consumer.AcknowledgeType.RELEASE;
import static org.apache.kafka.clients.consumer.AcknowledgeType.RENEW;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * KafkaShareConsumer in explicit mode, so many records finished until it ends: {@code ShareWorker broker group topic records workers}.
 * What is done with a record follows from its value: "release..." is released once, "renew..." is renewed once, "reject..." is
 * rejected; all else is accepted. Nobody goes on before each worker has got a record. A line for each: worker, offset, delivery count, value, what was done.
 */
public class ShareWorker {
    private static final Duration POLL = Duration.ofMillis(500);
    private static final long PATIENCE_MS = 60_000;

    public static void main(String[] args) throws Exception {
        int records = Integer.parseInt(args[3]);
        Set<Long> finished = ConcurrentHashMap.newKeySet();
        CountDownLatch begun = new CountDownLatch(Integer.parseInt(args[4]));
        List<Thread> workers = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(args[4]); i++) {
            String name = "worker-" + i;
            Thread thread = new Thread(() -> work(name, args, records, finished, begun));
            thread.setUncaughtExceptionHandler((failed, error) -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            });
            thread.start();
            workers.add(thread);
        }
        for (Thread worker : workers) worker.join();
    }

    private static void work(String name, String[] args, int records, Set<Long> finished, CountDownLatch begun) {
        Map<String, Object> config = Map.of(
                "bootstrap.servers", args[0],
                "group.id", args[1],
                "client.id", name,
                "max.poll.records", 10,
                "share.acknowledgement.mode", "explicit");
        long untilMs = System.currentTimeMillis() + PATIENCE_MS;
        Set<Long> renewed = new HashSet<>();
        boolean isFirst = true;
        try (var consumer = new KafkaShareConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(args[2]));
            while (finished.size() < records) {
                if (System.currentTimeMillis() > untilMs) throw new IllegalStateException("finished: " + finished.size());
                ConsumerRecords<String, String> got = consumer.poll(POLL);
                if (isFirst && !got.isEmpty()) {
                    isFirst = false;
                    begun.countDown();
                    if (!begun.await(PATIENCE_MS, TimeUnit.MILLISECONDS)) throw new IllegalStateException("a worker got nothing");
                }
                for (ConsumerRecord<String, String> record : got) {
                    int count = record.deliveryCount().orElseThrow();
                    AcknowledgeType type = judge(record.value(), count, renewed.add(record.offset()));
                    consumer.acknowledge(record, type);
                    System.out.printf("%s %d %d %s %s%n", name, record.offset(), count, record.value(), type);
                    if (type == ACCEPT || type == REJECT) finished.add(record.offset());
                }
                consumer.commitSync().forEach((partition, error) -> error.ifPresent(cause -> {
                    throw cause;
                }));
            }
        } catch (InterruptedException stopped) {
            throw new IllegalStateException(stopped);
        }
    }

    private static AcknowledgeType judge(String value, int count, boolean first) {
        if (value.startsWith("release") && count == 1) return RELEASE;
        if (value.startsWith("renew") && first) return RENEW;
        return value.startsWith("reject") ? REJECT : ACCEPT;
    }
}
