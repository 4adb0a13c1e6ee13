/** DescribeConfigs (KIP-133, KIP-226, KIP-569): of topics and groups, and of the one broker what means something here. */
import { describeConfigs } from "../../kafka/protocol/api/describe-configs.ts";
import type { Decoded, Encodable } from "../../kafka/protocol/schema.ts";
import type { ConfigEntry } from "../../log/types.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { type ConfigResource, configResource } from "../config-resources.ts";
import { CONFIG_SOURCE, configType } from "../config-words.ts";
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
  try {
    const found = configResource(call, resourceType, resourceName);
    const forbidden = found.forbidden("describe");
    if (forbidden !== undefined) return { ...forbidden, resourceType, resourceName, configs: [] };
    // No names are all names.
    const wanted = (await found.entries()).filter(({ name }) => keys === null || keys.length === 0 || keys.includes(name));
    const configs = wanted.map((entry) => configAnswer(entry, found, request));
    return { ...NO_ERROR, resourceType, resourceName, configs };
  } catch (error) {
    return { ...errorFields(call.surface.judge(error, "DescribeConfigs")), resourceType, resourceName, configs: [] };
  }
}

function configAnswer(entry: ConfigEntry, { source: own, alter }: ConfigResource, request: Request): Config {
  const { name, value, defaultValue, isDefault, type, documentation } = entry;
  const source = isDefault ? CONFIG_SOURCE.default : own;
  const set = isDefault ? [] : [{ name, value, source }];
  return {
    name,
    value,
    readOnly: alter === undefined,
    isDefault,
    configSource: source,
    isSensitive: false,
    synonyms: request.includeSynonyms ? [...set, { name, value: defaultValue, source: CONFIG_SOURCE.default }] : [],
    configType: configType(type),
    documentation: request.includeDocumentation ? documentation : null,
  };
}
