-- The overview says which automations failed lately.
CREATE INDEX automation_runs_failed ON automation_runs (brand_id, ended_at_ms) WHERE state = 'failed';
