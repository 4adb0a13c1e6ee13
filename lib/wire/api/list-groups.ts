/** ListGroups: all, or those in some states and of some types. */
import { listGroups } from "../../kafka/protocol/api/list-groups.ts";
import { mayGroup } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { groupCodeOf, groupsOf } from "../groups.ts";

export const listGroupsHandler: Handler = handlerOf(listGroups, async ({ statesFilter, typesFilter }, call) => {
  try {
    const groups = await groupsOf(call).list({ phases: statesFilter, types: typesFilter });
    return {
      errorCode: 0,
      groups: groups
        .filter(({ group }) => mayGroup(call, "describe", group))
        .map(({ group, protocolType, phase, type }) => ({
          groupId: group,
          protocolType,
          groupState: phase,
          groupType: type,
        })),
    };
  } catch (error) {
    return { errorCode: groupCodeOf(call, error, "ListGroups"), groups: [] };
  }
});
