/** The manifest of the document that the project was created from. */
export const SEED = `name: research-agent
model: deepseek-chat
system_prompt: "You are a helpful research assistant with persistent memory."
lifecycle: persistent
capabilities:
- web_search
- "file_read: /data/project/*"
- "file_write: /data/output/*"
- "tool: web_fetch"
- "tool: memory_store"
- "tool: memory_query"
approval_required:
- file_write
memory:
  context_window: "128k"
  max_history_messages: 200
  episodic_enabled: true
budget_config:
  max_tokens: 1000000
  reset_period_seconds: 86400
`;
