/** What benchmarks say to a server by its JSON API. */

/** Throws with the answer for every status that is not 2xx. */
export async function call(port: number, method: string, path: string, body?: unknown): Promise<unknown> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
  return reply.status === 204 ? undefined : reply.json();
}

/** With one partition. */
export async function createTopic(port: number, topic: string, maxBytes = 4_194_304): Promise<void> {
  const clusters = (await call(port, "GET", "/v3/clusters")) as { data: { cluster_id: string }[] };
  await call(port, "POST", `/v3/clusters/${clusters.data[0]?.cluster_id}/topics`, {
    topic_name: topic,
    partitions_count: 1,
    configs: [{ name: "max.message.bytes", value: String(maxBytes) }],
  });
}

export async function logEndOffset(port: number, topic: string): Promise<number> {
  const answer = await call(port, "GET", `/v1/topics/${topic}/partitions/0/offsets?at=latest`);
  return (answer as { offset: number }).offset;
}
