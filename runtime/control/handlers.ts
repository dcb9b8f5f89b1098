import type { ControlDeps } from "./deps.js";
import type { Handlers } from "./handler.js";
import { agentClear } from "./methods/agent-clear.js";
import { agentList } from "./methods/agent-list.js";
import { agentLogsStreaming } from "./methods/agent-logs-streaming.js";
import { agentPause } from "./methods/agent-pause.js";
import { agentResume } from "./methods/agent-resume.js";
import { agentRun } from "./methods/agent-run.js";
import { agentSpawn } from "./methods/agent-spawn.js";
import { agentSpawnAndRun } from "./methods/agent-spawn-and-run.js";
import { agentStatus } from "./methods/agent-status.js";
import { agentStop } from "./methods/agent-stop.js";
import { agentSubmitStreaming } from "./methods/agent-submit-streaming.js";
import { approvalList } from "./methods/approval-list.js";
import { approvalRespond } from "./methods/approval-respond.js";
import { auditQuery } from "./methods/audit-query.js";
import { auditTail } from "./methods/audit-tail.js";
import { auditVerify } from "./methods/audit-verify.js";
import { manifestList } from "./methods/manifest-list.js";
import { memoryForget } from "./methods/memory-forget.js";
import { memoryList } from "./methods/memory-list.js";
import { memoryQuery } from "./methods/memory-query.js";
import { roleExplain } from "./methods/role-explain.js";
import { roleList } from "./methods/role-list.js";
import { roleShow } from "./methods/role-show.js";
import { runAttach } from "./methods/run-attach.js";
import { runCancel } from "./methods/run-cancel.js";
import { runGet } from "./methods/run-get.js";
import { runList } from "./methods/run-list.js";
import { runPause } from "./methods/run-pause.js";
import { runResult } from "./methods/run-result.js";
import { runResume } from "./methods/run-resume.js";
import { runSubmit } from "./methods/run-submit.js";
import { scheduleAdd } from "./methods/schedule-add.js";
import { scheduleList } from "./methods/schedule-list.js";
import { scheduleRemove } from "./methods/schedule-remove.js";
import { skillAdd } from "./methods/skill-add.js";
import { skillList } from "./methods/skill-list.js";
import { skillShow } from "./methods/skill-show.js";
import { systemDoctor } from "./methods/system-doctor.js";
import { systemMetrics } from "./methods/system-metrics.js";
import { systemRecord } from "./methods/system-record.js";
import { systemSelftest } from "./methods/system-selftest.js";
import { systemStatus } from "./methods/system-status.js";
import { toolInvoke } from "./methods/tool-invoke.js";
import { toolList } from "./methods/tool-list.js";

/** The daemon's API on one screen. */
export function makeHandlers(deps: ControlDeps): Handlers {
  return {
    "run.submit": runSubmit(deps),
    "run.list": runList(deps),
    "run.get": runGet(deps),
    "run.result": runResult(deps),
    "run.attach": runAttach(deps),
    "run.cancel": runCancel(deps),
    "approval.list": approvalList(deps),
    "approval.respond": approvalRespond(deps),
    "run.pause": runPause(deps),
    "run.resume": runResume(deps),
    "agent.list": agentList(deps),
    "agent.status": agentStatus(deps),
    "agent.stop": agentStop(deps),
    "agent.submit_streaming": agentSubmitStreaming(deps),
    "agent.logs_streaming": agentLogsStreaming(deps),
    "schedule.add": scheduleAdd(deps),
    "schedule.list": scheduleList(deps),
    "schedule.remove": scheduleRemove(deps),
    "agent.pause": agentPause(deps),
    "agent.resume": agentResume(deps),
    "agent.clear": agentClear(deps),
    "agent.spawn": agentSpawn(deps),
    "agent.run": agentRun(deps),
    "agent.spawn_and_run": agentSpawnAndRun(deps),
    "tool.invoke": toolInvoke(deps),
    "manifest.list": manifestList(deps),
    "tool.list": toolList(deps),
    "role.list": roleList(deps),
    "role.show": roleShow(deps),
    "role.explain": roleExplain(deps),
    "skill.list": skillList(deps),
    "skill.show": skillShow(deps),
    "skill.add": skillAdd(deps),
    "memory.list": memoryList(deps),
    "memory.query": memoryQuery(deps),
    "memory.forget": memoryForget(deps),
    "audit.query": auditQuery(deps),
    "audit.verify": auditVerify(deps),
    "audit.tail": auditTail(deps),
    "system.metrics": systemMetrics(deps),
    "system.status": systemStatus(deps),
    "system.doctor": systemDoctor(deps),
    "system.selftest": systemSelftest(deps),
    "system.record": systemRecord(deps),
  };
}
