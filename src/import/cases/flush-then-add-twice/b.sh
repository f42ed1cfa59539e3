ip rule del from 10.0.0.1 table 9
ip rule add from 10.0.0.1 table 9 pref 5
ip route flush table 9
ip route add 10.0.0.0/8 dev a table 9
