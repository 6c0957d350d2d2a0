// The tests' vocabulary: name a case, expect a thing, wait until it is so. Knows neither browser nor service.

export const cases = [];

// options: {site: browser context options, signedIn: true, path: '', service: settings of a service of its own}
export function test(name, options, run) {
  cases.push({name, options: {signedIn: true, path: '', ...options}, run});
}

export function expect(truth, words) {
  if (!truth) throw new Error(words);
}

export function expectEqual(got, wanted, words) {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${words}: got ${one}, wanted ${other}`);
}

// Asks until the answer is true; says what it waited for.
export async function until(ask, words, ms = 8_000) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${ms} ms, and it was not so: ${words}`);
    await new Promise((done) => setTimeout(done, 40));
  }
}
