/** Configs of consumer groups, which need not be there yet. */
import * as z from "zod";
import { onGroup } from "../access.ts";
import { json, noContent } from "../call.ts";
import { groupsOf } from "../groups/poll.ts";
import { type Operation, operation } from "../operation.ts";
import { JSON_TYPE } from "../produce/media.ts";
import { alterSchema, changesOf } from "./configs.ts";
import { jsonBody } from "./topics.ts";

const CONFIGS = "/v1/groups/{group}/configs";

const configsSchema = z.object({
  configs: z.array(
    z.object({
      name: z.string(),
      value: z.string(),
      default_value: z.string(),
      is_default: z.boolean(),
      type: z.string(),
      documentation: z.string(),
    }),
  ),
});

export function groupConfigOperations(): Operation[] {
  return [
    operation({
      id: "listGroupConfigs",
      method: "GET",
      path: CONFIGS,
      tag: "groups",
      summary: "All configs of a group, with what holds",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "the configs", content: { [JSON_TYPE]: configsSchema } } },
      async handle(exchange) {
        const entries = await (await groupsOf(exchange)).configs(exchange.param("group"));
        const configs = entries.map(({ name, value, defaultValue, isDefault, type, documentation }) => ({
          name,
          value,
          default_value: defaultValue,
          is_default: isDefault,
          type,
          documentation,
        }));
        return json({ configs });
      },
    }),
    operation({
      id: "alterGroupConfigs",
      method: "POST",
      path: `${CONFIGS}:alter`,
      tag: "groups",
      summary: "Set and reset several configs, all or none",
      access: onGroup("admin", "group"),
      body: { [JSON_TYPE]: alterSchema },
      responses: { 204: { description: "done; holds within 30 seconds everywhere" } },
      async handle(exchange) {
        const body = await jsonBody(exchange, alterSchema);
        await (await groupsOf(exchange)).alterConfigs(exchange.param("group"), changesOf(body), {
          validateOnly: body.validate_only === true,
        });
        return noContent();
      },
    }),
  ];
}
