/** ListConfigResources (KIP-1142): topics, groups that have configs, and the broker. Version 0 asks for client metrics, of which there are none. */
import { listConfigResources } from "../../kafka/protocol/api/list-config-resources.ts";
import { may, mayAny, mayGroup } from "../access.ts";
import { NODE_ID } from "../broker.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { RESOURCE } from "../config-words.ts";
import { kafkaCodeOf, kafkaError } from "../errors.ts";

export const listConfigResourcesHandler: Handler = handlerOf(listConfigResources, async ({ resourceTypes }, call) => {
  const { version, surface } = call;
  if (!mayAny(call, { resource: "cluster", operation: "describe" })) {
    return { errorCode: kafkaError("CLUSTER_AUTHORIZATION_FAILED").errorCode, configResources: [] };
  }
  if (version === 0) return { errorCode: 0, configResources: [] };
  // None named: all kinds.
  const kinds = resourceTypes.length === 0 ? [RESOURCE.topic, RESOURCE.broker, RESOURCE.group] : [...new Set(resourceTypes)];
  try {
    const found = await Promise.all(
      kinds.map(async (resourceType) =>
        (await namesOf(call, resourceType)).map((resourceName) => ({ resourceName, resourceType })),
      ),
    );
    return { errorCode: 0, configResources: found.flat() };
  } catch (error) {
    return { errorCode: kafkaCodeOf(surface.judge(error, "ListConfigResources")), configResources: [] };
  }
});

async function namesOf(call: Call, resourceType: number): Promise<string[]> {
  const { log, groups } = call.surface;
  if (resourceType === RESOURCE.topic) {
    return (await log.listTopics()).map(({ name }) => name).filter((name) => may(call, "describe", name));
  }
  if (resourceType === RESOURCE.broker) return [String(NODE_ID)];
  if (resourceType !== RESOURCE.group || groups === undefined) return [];
  return (await groups.configured()).filter((name) => mayGroup(call, "describe", name));
}
