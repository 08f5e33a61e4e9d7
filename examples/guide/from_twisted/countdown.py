from twisted.internet import reactor


class Countdown:
    left = 5

    def count(self):
        if self.left == 0:
            return reactor.stop()
        print(self.left, "...")
        self.left -= 1
        reactor.callLater(1, self.count)


reactor.callWhenRunning(Countdown().count)
print("Start!")
reactor.run()
print("Stop!")
