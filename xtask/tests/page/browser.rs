//! Chromium without a window, driven over a pipe with the Chrome DevTools protocol.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest that a page may take for anything.
const LONG: Duration = Duration::from_secs(30);

/// The protocol's pipe is on descriptors 3 and 4; the shell makes them of the standard ones.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A browser with one page. It ends with the test.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last_id: u64,
    /// What happened in the page so far.
    events: Vec<Value>,
    /// Its profile, which disappears with it.
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    /// Starts the browser that the environment names, with an empty page.
    pub(crate) fn start() -> Self {
        let program = env::var("IOGROUPS_BROWSER").unwrap_or_else(|_| "chromium".into());
        let profile = tempfile::tempdir().unwrap();
        let options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let quiet = ["--no-first-run", "--disable-background-networking", "--remote-debugging-pipe"];
        let mut child = Command::new("sh")
            .args(["-c", START, &program])
            .args(options.into_iter().chain(quiet))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let parts = BufReader::new(output).split(0).map_while(Result::ok);
            let parsed = parts.filter_map(|part| serde_json::from_slice(&part).ok());
            parsed.take_while(|message: &Value| sender.send(message.clone()).is_ok()).for_each(drop);
        });
        let mut browser =
            Self { child, input, messages, session: None, last_id: 0, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached =
            browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(String::from);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// One call of the protocol, and its result.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.input.write_all(format!("{message}\0").as_bytes()).unwrap();
        let started = Instant::now();
        loop {
            let left = LONG.saturating_sub(started.elapsed());
            let mut answer =
                self.messages.recv_timeout(left).unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// Goes to a page and waits until it is there.
    pub(crate) fn open(&mut self, file: &Path, fragment: &str) {
        // A step aside: another fragment of the same page alone would not load it again.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.wait_for("document.readyState === 'complete' && location.href === 'about:blank'");
        let url = format!("file://{}{fragment}", file.display());
        self.call("Page.navigate", json!({"url": url}));
        self.wait_for("document.readyState === 'complete' && location.protocol === 'file:'");
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut done = self.call("Runtime.evaluate", parameters);
        assert!(done["exceptionDetails"].is_null(), "{expression}: {done}");
        done["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let started = Instant::now();
        while self.value(expression) != true {
            assert!(started.elapsed() < LONG, "{expression} does not become true");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Presses a key as a person does: one that writes its character, or one with a name.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "End" => 35,
            "Home" => 36,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => 0,
        };
        let mut down = json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        match key {
            "Enter" => down["text"] = "\r".into(),
            one if one.chars().count() == 1 => down["text"] = one.into(),
            _ => (),
        }
        self.call("Input.dispatchKeyEvent", down);
        let up = json!({"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", up);
    }

    /// Writes a text into what has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        text.chars().for_each(|character| self.press(&character.to_string()));
    }

    /// Clicks with the mouse on the first element that a selector finds, once it is in view.
    pub(crate) fn click(&mut self, selector: &str) {
        // The page may still be on its way to where the last link led: the place must stay the same for two frames.
        let place = format!(
            "(async () => {{ const element = document.querySelector({selector:?}); \
             const frame = () => new Promise(requestAnimationFrame); \
             let last = []; \
             for (let look = 0; look < 100; look += 1) {{ \
               element.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
               await frame(); await frame(); \
               const box = element.getClientRects()[0]; \
               const now = [box.x + Math.min(box.width, 40) / 2, box.y + box.height / 2]; \
               if (now[0] === last[0] && now[1] === last[1]) return now; \
               last = now; \
             }} \
             throw new Error('it does not stay in one place'); }})()"
        );
        let place = self.value(&place);
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Makes the window so wide, in a light or dark scheme.
    pub(crate) fn show_as(&mut self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Parameters of the events with this name so far.
    pub(crate) fn events(&self, method: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["method"] == method).map(|event| &event["params"]).collect()
    }
}
