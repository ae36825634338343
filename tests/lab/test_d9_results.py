"""The owner's side of D9."""

from types import SimpleNamespace

from nitro_workflow.lab.steps import d9_results


def test_nothing_is_opened_before_all_jobs_have_ended(monkeypatch):
    """Else the owner's KMS call would stand anywhere among the next job's messages in the trace."""
    order = []

    class Job:
        def __init__(self, form):
            self.form = form

        def ended(self):
            order.append(f"{self.form} ended")
            return {"status": "done"}

        def evidence(self, step):
            return {"step": step}

    def open_job(bench, job, state):
        order.append(f"{job.form} opened")
        return SimpleNamespace(answer={"rows": 1})

    monkeypatch.setattr(d9_results, "open_job", open_job)
    monkeypatch.setattr(d9_results, "_receipt_evidence", lambda opened, state: {})
    outcome = d9_results.open_results(None, {"a": Job("a"), "b": Job("b")})
    assert order == ["a ended", "b ended", "a opened", "b opened"]
    assert outcome.evidence["rows"] == 1
