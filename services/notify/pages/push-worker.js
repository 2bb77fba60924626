// Shows what is pushed and reports that it did; that report is the receipt.
"use strict";

self.addEventListener("push", event => {
  const said = event.data.json();
  event.waitUntil(
    self.registration
      .showNotification(said.title, { body: said.body, tag: said.tag, renotify: true, data: { url: said.url } })
      .then(() => fetch(said.receipt, { method: "POST", mode: "no-cors", keepalive: true })),
  );
});

self.addEventListener("notificationclick", event => {
  event.notification.close();
  const url = event.notification.data.url;
  if (url) event.waitUntil(self.clients.openWindow(url));
});
