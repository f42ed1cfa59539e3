sudo -n ip rule add from '10.0.0.1' table "9" pref 1
/usr/bin/env PATH=/sbin ip rule add from 10.0.0.2 table 9 pref 2
bash -c 'ip rule add from 10.0.0.3 table 9 pref 3; ip route add 10.0.0.0/8 dev ib0 table 9'
echo ip rule add from 10.0.0.4 table 9 pref 4
echo "ip rule add from 10.0.0.5 table 9 pref 5"
ip netns exec blue ip rule add from 10.0.0.6 table 9 pref 6
ip -n blue rule add from 10.0.0.7 table 9 pref 7
ssh node ip rule add from 10.0.0.8 table 9 pref 8
nsenter --net=/run/x ip rule add from 10.0.0.9 table 9 pref 9
ip -batch rules.txt
(ip rule add from 10.0.0.10 table 9 pref 10) &
if true; then { ip rule add from 10.0.0.11 table 9 pref 11; } fi
ip rule list | while read line; do echo "$line"; done
ip rule add from "10.0.0.12 table 9
