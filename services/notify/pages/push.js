// The page on which a person lets this browser be told: asks it for a subscription and hands that over.
"use strict";

const form = document.getElementById("push");
const says = name => { for (const part of document.querySelectorAll("[data-push]")) part.hidden = part.dataset.push !== name; };
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), letter => letter.charCodeAt(0));

async function subscribe() {
  const worker = await navigator.serviceWorker.register("/push-worker.js");
  await navigator.serviceWorker.ready;
  const key = bytes(form.dataset.key);
  const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  const answer = await fetch(form.action, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(subscription),
  });
  if (!answer.ok) throw new Error(String(answer.status));
}

if (!("serviceWorker" in navigator && "PushManager" in window)) {
  says("unable");
} else {
  says("ask");
  form.addEventListener("submit", async event => {
    event.preventDefault();
    says("busy");
    try { await subscribe(); says("done"); } catch (error) { says(Notification.permission === "denied" ? "denied" : "failed"); }
  });
}
