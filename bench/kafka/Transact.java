import java.util.Arrays;
import java.util.Collections;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own producer doing what transact.ts does: {@code Transact broker prefix workers records ms partitions input outputs...}. So many records of
 * 1,000 bytes to each output and an offset of the input, in a transaction, until the time is over; the first fifth is not counted. Prints what it
 * measured as JSON.
 */
public class Transact {
    private static final byte[] VALUE = new byte[1000];
    private static final List<Long> NANOS = Collections.synchronizedList(new ArrayList<>());

    public static void main(String[] args) throws Exception {
        Arrays.fill(VALUE, (byte) 'v');
        int workers = Integer.parseInt(args[2]);
        long durationNanos = Long.parseLong(args[4]) * 1_000_000;
        var ready = new CyclicBarrier(workers);
        var threads = new ArrayList<Thread>();
        for (int i = 0; i < workers; i++) {
            int worker = i;
            var thread = new Thread(() -> work(args, worker, durationNanos, ready));
            thread.setUncaughtExceptionHandler((failed, error) -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) thread.join();
        if (NANOS.isEmpty()) throw new IllegalStateException("no transaction ended in time");
        var sorted = NANOS.stream().sorted().toList();
        System.out.printf(Locale.ROOT, "{\"perSecond\":%f,\"p50Ms\":%f,\"p99Ms\":%f}%n", sorted.size() * 1e9 / durationNanos,
                sorted.get(sorted.size() / 2) / 1e6, sorted.get(Math.min(sorted.size() - 1, sorted.size() * 99 / 100)) / 1e6);
    }

    private static void work(String[] args, int worker, long durationNanos, CyclicBarrier ready) {
        String name = args[1] + "-" + worker;
        int records = Integer.parseInt(args[3]);
        int partition = worker % Integer.parseInt(args[5]);
        var input = new TopicPartition(args[6], partition);
        List<String> outputs = List.of(args).subList(7, args.length);
        Map<String, Object> config = Map.of("bootstrap.servers", args[0], "transactional.id", name);
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            long offset = 0;
            transact(producer, name, input, ++offset, outputs, records);
            ready.await();
            long warm = System.nanoTime() + durationNanos / 4;
            long until = warm + durationNanos;
            while (System.nanoTime() < until) {
                long since = System.nanoTime();
                transact(producer, name, input, ++offset, outputs, records);
                long now = System.nanoTime();
                if (since >= warm && now <= until) NANOS.add(now - since);
            }
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static void transact(KafkaProducer<byte[], byte[]> producer, String group, TopicPartition input, long offset,
            List<String> outputs, int records) {
        producer.beginTransaction();
        for (String topic : outputs)
            for (int i = 0; i < records; i++) producer.send(new ProducerRecord<>(topic, input.partition(), null, VALUE));
        producer.sendOffsetsToTransaction(Map.of(input, new OffsetAndMetadata(offset)), new ConsumerGroupMetadata(group));
        producer.commitTransaction();
    }
}
