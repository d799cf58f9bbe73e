// SPDX-License-Identifier: GPL-2.0-only
/*
 * InteropJinterface NAME@HOST NODE COOKIE PUPPET: a node by Jinterface, which knows no
 * monitors and no aliases, and closes the connection when it receives what it does not
 * know. It has a server that answers to the caller's pid. The program PUPPET (of
 * userlib/tests) is the native process at NODE that it tests against. Prints TAP lines
 * without numbers.
 */
import com.ericsson.otp.erlang.OtpErlangAtom;
import com.ericsson.otp.erlang.OtpErlangBinary;
import com.ericsson.otp.erlang.OtpErlangExit;
import com.ericsson.otp.erlang.OtpErlangInt;
import com.ericsson.otp.erlang.OtpErlangObject;
import com.ericsson.otp.erlang.OtpErlangPid;
import com.ericsson.otp.erlang.OtpErlangTuple;
import com.ericsson.otp.erlang.OtpMbox;
import com.ericsson.otp.erlang.OtpNode;
import com.ericsson.otp.erlang.OtpNodeStatus;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Arrays;

class InteropJinterface extends OtpNodeStatus implements Runnable {
	private static final long WAIT = 60000;

	private final OtpNode node;
	private final String there;		/* the native node */
	private final String program;
	private final OtpMbox server;
	private final OtpMbox box;
	private PrintStream puppet;
	private BufferedReader said;
	private volatile int ups, downs;

	InteropJinterface(String name, String there, String cookie, String program) throws Exception {
		node = new OtpNode(name, cookie);
		node.registerStatusHandler(this);
		this.there = there;
		this.program = program;
		server = node.createMbox("server");
		box = node.createMbox("box");
	}

	@Override
	public void remoteStatus(String peer, boolean up, Object info) {
		if (up)
			ups++;
		else
			downs++;
	}

	/* The server: {'$gen_call', {Pid, Tag}, Request} is answered with {Tag, {echo, Request}} */
	@Override
	public void run() {
		try {
			for (;;)
				serve((OtpErlangTuple)server.receive());
		} catch (Exception e) {
			/* The node is closed. */
		}
	}

	private void serve(OtpErlangTuple call) {
		OtpErlangTuple from = (OtpErlangTuple)call.elementAt(1);
		OtpErlangObject reply = tuple(atom("echo"), call.elementAt(2));

		if (call.elementAt(2).equals(atom("mute")))
			return;
		if (call.elementAt(2).equals(atom("big")))
			reply = new OtpErlangBinary(new byte[100000]);
		server.send((OtpErlangPid)from.elementAt(0), tuple(from.elementAt(1), reply));
	}

	private static OtpErlangAtom atom(String text) {
		return new OtpErlangAtom(text);
	}

	private static OtpErlangTuple tuple(OtpErlangObject... elements) {
		return new OtpErlangTuple(elements);
	}

	private static void equal(Object got, Object wanted) throws Exception {
		if (!wanted.equals(got))
			throw new Exception(got + " is not " + wanted);
	}

	private void startPuppet(String name) throws Exception {
		Process p = new ProcessBuilder(program, name).redirectErrorStream(true).start();

		puppet = new PrintStream(p.getOutputStream(), true);
		said = new BufferedReader(new InputStreamReader(p.getInputStream()));
		equal(said.readLine(), "ok");
	}

	private String ask(String line) throws Exception {
		puppet.println(line);
		return said.readLine();
	}

	private static String command(String... words) throws Exception {
		Process p = new ProcessBuilder(words).redirectErrorStream(true).start();
		BufferedReader r = new BufferedReader(new InputStreamReader(p.getInputStream()));
		StringBuilder all = new StringBuilder();

		for (String line = r.readLine(); line != null; line = r.readLine())
			all.append(line).append('\n');
		return p.waitFor() + " " + all;
	}

	private OtpErlangObject receive() throws Exception {
		OtpErlangObject m = box.receive(WAIT);

		if (m == null)
			throw new Exception("nothing came");
		return m;
	}

	/* All that the puppet sent before has arrived. */
	private void sync() throws Exception {
		equal(ask("send {box,'" + node.node() + "'} word"), "ok");
		equal(receive(), atom("word"));
	}

	/* How the puppet writes the pid of a mailbox */
	private String text(OtpMbox m) throws Exception {
		m.send("puppet", there, m.self());
		return ask("recv 60000").substring("message 0 ".length());
	}

	private OtpErlangPid native_pid() throws Exception {
		equal(ask("send {box,'" + node.node() + "'} {call,1}"), "ok");
		receive();
		box.send("puppet", there, tuple(atom("$gen_call"), tuple(box.self(), node.createRef()),
						atom("pid")));
		equal(ask("recv 60000"), "call 0 pid");
		equal(ask("reply " + ask("self").substring("pid ".length())), "ok");
		return (OtpErlangPid)((OtpErlangTuple)receive()).elementAt(1);
	}

	/* Tests. Each begins with nothing to be read. */

	void ping() throws Exception {
		equal(command("erldist", "ping", node.node()).substring(0, 11), "0 pong from");
		equal(box.ping(there, WAIT), true);
	}

	void call() throws Exception {
		String dest = "{server,'" + node.node() + "'}";

		equal(ask("call 60000 " + dest + " {hello,[1,2]}"), "reply {echo,{hello,[1,2]}}");
		equal(command("erldist", "call", dest, "hello"), "0 {echo,hello}\n");
		equal(ask("call 60000 " + dest + " big").length() > 100000, true);
		equal(ask("call 300 " + dest + " mute").startsWith("error ETIMEDOUT"), true);
	}

	void called() throws Exception {
		OtpErlangObject ref = node.createRef();

		box.send("puppet", there, tuple(atom("$gen_call"), tuple(box.self(), ref), atom("hi")));
		equal(ask("recv 60000"), "call 0 hi");
		equal(ask("reply {ok,1}"), "ok");
		equal(receive(), tuple(ref, tuple(atom("ok"), new OtpErlangInt(1))));
	}

	void links() throws Exception {
		OtpMbox m = node.createMbox();
		String text = text(m);

		equal(ask("trap 1"), "ok");
		m.link(native_pid());
		m.exit("boom");
		equal(ask("recv 60000"), "exit " + text + " boom");
		m = node.createMbox();
		text = text(m);
		equal(ask("link " + text), "ok");
		sync();
		m.exit(tuple(atom("bad"), atom("luck")));
		equal(ask("recv 60000"), "exit " + text + " {bad,luck}");
		m = node.createMbox();
		text = text(m);
		equal(ask("link " + text), "ok");
		equal(ask("unlink " + text), "ok");
		sync();
		m.exit("late");
		sync();
		equal(ask("recv 300"), "none");
	}

	void exits() throws Exception {
		OtpMbox m = node.createMbox();
		String text = text(m);

		equal(ask("exit " + text + " {stop,now}"), "ok");
		try {
			throw new Exception("no exit but " + m.receive(WAIT));
		} catch (OtpErlangExit e) {
			equal(e.reason(), tuple(atom("stop"), atom("now")));
		}
		m = node.createMbox();
		text = text(m);
		m.exit(native_pid(), "go");
		equal(ask("recv 60000"), "exit " + text + " go");
	}

	/* None is told of here, and those that are left end with the connection. */
	void monitors() throws Exception {
		String[] of = { text(box), "{server,'" + node.node() + "'}" };

		for (String dest : of) {
			String ref = ask("monitor " + dest + " 5").substring("ref ".length());

			equal(ask("demonitor " + ref + " 0"), "ok");
			equal(ask("monitor " + dest + " 6").startsWith("ref "), true);
		}
		sync();
	}

	void stays() throws Exception {
		equal(ups, 1);
		equal(downs, 0);
		equal(command("erldist", "peer", "show").contains(node.node() + " up"), true);
	}

	/* The end of a native process */
	void ends() throws Exception {
		PrintStream first = puppet;
		BufferedReader first_said = said;
		OtpMbox m = node.createMbox();
		String text = text(m);

		startPuppet("other");
		equal(ask("link " + text), "ok");
		puppet.println("exit self {the,'end'}");
		try {
			throw new Exception("no exit but " + m.receive(WAIT));
		} catch (OtpErlangExit e) {
			equal(e.reason(), tuple(atom("the"), atom("end")));
		}
		puppet = first;
		said = first_said;
	}

	void lost() throws Exception {
		OtpMbox m = node.createMbox();
		String[] told = new String[3];

		equal(ask("link " + text(m)), "ok");
		sync();
		node.close();
		for (int i = 0; i < 3; i++)
			told[i] = ask("recv 60000");
		Arrays.sort(told);
		equal(told[0].startsWith("down 6 ") && told[1].startsWith("down 6 "), true);
		equal(told[2].startsWith("exit "), true);
		for (String t : told)
			equal(t.endsWith(" noconnection"), true);
	}

	private static final String[][] TESTS = {
		{ "ping", "ping both ways" },
		{ "call", "calls, small and large, by the library and the command" },
		{ "called", "a call from here" },
		{ "links", "links both ways, and an unlink" },
		{ "exits", "exit/2 both ways" },
		{ "monitors", "monitors are not told of" },
		{ "ends", "the end of a linked native process" },
		{ "stays", "the connection is the first one, and up" },
		{ "lost", "its loss is told to monitors and links" },
	};

	private void test(String name, String what) {
		try {
			InteropJinterface.class.getDeclaredMethod(name).invoke(this);
			System.out.println("ok - " + what);
		} catch (Exception e) {
			System.out.println("not ok - " + what + "\n# " +
					   (e.getCause() == null ? e : e.getCause()));
		}
	}

	public static void main(String[] args) throws Exception {
		InteropJinterface peer = new InteropJinterface(args[0], args[1], args[2], args[3]);
		Thread server = new Thread(peer);

		server.setDaemon(true);
		server.start();
		peer.startPuppet("puppet");
		for (String[] t : TESTS)
			peer.test(t[0], t[1]);
		System.exit(0);
	}
}
