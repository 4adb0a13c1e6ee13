/** DescribeConfigs (KIP-133, KIP-226, KIP-569): of topics, and of the one broker what means something here. */
import { BrokerlessError } from "../../base/errors.ts";
import { describeConfigs } from "../../kafka/protocol/api/describe-configs.ts";
import type { Decoded, Encodable } from "../../kafka/protocol/schema.ts";
import type { ConfigEntry } from "../../log/types.ts";
import { may, topicForbidden } from "../access.ts";
import { brokerConfigs } from "../broker-configs.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { CONFIG_SOURCE, configType, RESOURCE } from "../config-words.ts";
import { errorFields, NO_ERROR } from "../errors.ts";

type Request = Decoded<typeof describeConfigs.request>;
type Resource = Request["resources"][number];
type Answer = Encodable<typeof describeConfigs.response>["results"][number];
type Config = Answer["configs"][number];

export const describeConfigsHandler: Handler = handlerOf(describeConfigs, async (request, call) => ({
  results: await Promise.all(request.resources.map((resource) => describe(resource, request, call))),
}));

async function describe(resource: Resource, request: Request, call: Call): Promise<Answer> {
  const { resourceType, resourceName, configurationKeys: keys } = resource;
  const { surface } = call;
  try {
    const isTopic = resourceType === RESOURCE.topic;
    if (isTopic && !may(call, "describe", resourceName)) {
      return { ...topicForbidden("describe", resourceName), resourceType, resourceName, configs: [] };
    }
    const entries = isTopic
      ? surface.log.topicConfigs(await surface.log.topic(resourceName))
      : brokerEntries(resourceType, resourceName, call);
    // No names are all names.
    const wanted = entries.filter(({ name }) => keys === null || keys.length === 0 || keys.includes(name));
    const configs = wanted.map((entry) => configAnswer(entry, isTopic, request));
    return { ...NO_ERROR, resourceType, resourceName, configs };
  } catch (error) {
    return { ...errorFields(surface.judge(error, "DescribeConfigs")), resourceType, resourceName, configs: [] };
  }
}

function brokerEntries(resourceType: number, resourceName: string, call: Call): ConfigEntry[] {
  if (resourceType !== RESOURCE.broker) {
    throw new BrokerlessError(
      "invalid_request",
      `resource type is ${resourceType}; topics (2) and brokers (4) have configs here`,
    );
  }
  return brokerConfigs(resourceName, call);
}

function configAnswer(entry: ConfigEntry, isTopic: boolean, request: Request): Config {
  const { name, value, defaultValue, isDefault, type, documentation } = entry;
  const source = isDefault ? CONFIG_SOURCE.default : isTopic ? CONFIG_SOURCE.topic : CONFIG_SOURCE.broker;
  const set = isDefault ? [] : [{ name, value, source }];
  return {
    name,
    value,
    readOnly: !isTopic,
    isDefault,
    configSource: source,
    isSensitive: false,
    synonyms: request.includeSynonyms ? [...set, { name, value: defaultValue, source: CONFIG_SOURCE.default }] : [],
    configType: configType(type),
    documentation: request.includeDocumentation ? documentation : null,
  };
}
