/** The ways in which a Kafka client reaches a server: each client's tests run over two of them. */
import type { Kafka } from "kafkajs";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { kafkaOverHttps } from "../../../lib/tunnel/kafkajs.ts";
import { startTunnel } from "../../../lib/tunnel/tunnel.ts";

export interface Way {
  readonly server: RunningServer;
  /** `host:port` for the client. */
  readonly broker: string;
  /** What KafkaJS is given beside the broker. */
  readonly kafkajs: Partial<ConstructorParameters<typeof Kafka>[0]>;
  close(): Promise<void>;
}

const ANY_PORT = { host: "127.0.0.1", port: 0 };

async function startMemoryServer(kafka: boolean): Promise<RunningServer> {
  return startServer({ storage: "memory", http: ANY_PORT, ...(kafka ? { kafka: ANY_PORT } : {}) });
}

export async function overTcp(): Promise<Way> {
  const server = await startMemoryServer(true);
  return { server, broker: server.kafka as string, kafkajs: {}, close: () => server.close() };
}

/** KafkaJS alone: through its `socketFactory`. */
export async function overHttps(): Promise<Way> {
  const server = await startMemoryServer(false);
  const socketFactory = kafkaOverHttps({ url: server.url });
  return { server, broker: "brokerless.example:443", kafkajs: { socketFactory }, close: () => server.close() };
}

export async function throughTunnel(): Promise<Way> {
  const server = await startMemoryServer(false);
  const listener = await startTunnel({ ...ANY_PORT, url: server.url, clock: systemClock });
  return {
    server,
    broker: `127.0.0.1:${listener.port}`,
    kafkajs: {},
    async close() {
      await listener.close(1000);
      await server.close();
    },
  };
}
