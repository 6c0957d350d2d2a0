// Asks again and again while the tab is visible: ever more seldom when nothing happens, never sooner than Retry-After.
// Does not know what it asks for.

const kBaseMs = 4_000;
const kMaxMs = 30_000;
const kMaxAfterErrorsMs = 120_000;

// run() resolves to whether anything changed; onState(state, ms until the next try).
export function createPoller({run, onState, baseMs = kBaseMs}) {
  let delayMs = baseMs;
  let timer = null;
  let running = false;
  let failed = false;
  let stopped = true;

  const visible = () => document.visibilityState === 'visible';

  function arm(ms) {
    clearTimeout(timer);
    timer = stopped || !visible() ? null : setTimeout(tick, ms);
  }

  async function tick() {
    if (stopped || running || !visible()) return;
    running = true;
    try {
      const changed = await run();
      failed = false;
      delayMs = changed ? baseMs : Math.min(delayMs * 1.5, Math.max(kMaxMs, baseMs));
      if (!stopped) onState('live');
    } catch (error) {
      failed = error.name !== 'AbortError';
      delayMs = Math.max(Math.min(delayMs * 2, kMaxAfterErrorsMs), error.retryAfterMs ?? 0);
      if (!stopped && failed) onState('offline', delayMs);
    } finally {
      running = false;
    }
    arm(delayMs);
  }

  function onVisibility() {
    if (visible()) {
      delayMs = baseMs;
      onState('live');
      tick();
    } else {
      clearTimeout(timer);
      onState('paused');
    }
  }

  // A person is here: be quick again, but not at once.
  function onPerson() {
    if (failed || running || delayMs <= baseMs) return;
    delayMs = baseMs;
    arm(baseMs);
  }

  function wire(change) {
    document[change]('visibilitychange', onVisibility);
    window[change]('online', tick);
    for (const name of ['pointerdown', 'keydown']) window[change](name, onPerson, {passive: true});
  }

  return {
    start() {
      if (!stopped) return;
      stopped = false;
      delayMs = baseMs;
      wire('addEventListener');
      onState(visible() ? 'live' : 'paused');
      arm(delayMs);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      wire('removeEventListener');
    },
    now: tick,
  };
}
